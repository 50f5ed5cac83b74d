"""A small identity provider to sign in with: real HTTP, real RSA keys, and switches to misbehave."""

import base64
import json
import secrets
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

CLIENT, SECRET = "triage", "the secret of the client: %+ä"
Claims = dict[str, Any]


@cache
def rsa_key(name: str, bits: int = 2048) -> RSAKey:
    """A key of that name; the same one each time, as making one takes a moment."""
    made = generate_private_key(public_exponent=65537, key_size=bits)  # the library makes no weak one
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return RSAKey.import_key(pem, {"kid": name, "use": "sig"})


@dataclass
class Grant:
    """A code that was given out."""

    redirect_uri: str
    challenge: str
    nonce: str
    used: bool = False


def signed(claims: Claims) -> str:
    """As it should be: RS256, by the published key."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, rsa_key("one"), ["RS256"])


@dataclass
class IdentityProvider:
    """``person``: who sits at the browser. ``claims``, ``sign``: change what the ID token says, and how it is signed.

    ``answers``: (status, type, body) given at a path instead, 302 with an address for the type; ``held``: paths that do not
    answer until :meth:`stop`.
    """

    redirect_uris: list[str] = field(default_factory=list)
    person: Claims = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "anna", "groups": ["readers"]})
    claims: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] = signed
    document: Callable[[Claims], Claims] = lambda document: document
    published: list[Claims] = field(default_factory=lambda: [rsa_key("one").as_dict(private=False)])
    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    consent: bool = False
    secret: str = SECRET
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    grants: dict[str, Grant] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)

    def start(self) -> "IdentityProvider":
        """Listen on a port that the system chooses."""
        self._released = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
                provider.answer(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def stop(self) -> None:
        """Let go of whoever is held, and end."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def issuer(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        """One request."""
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(parts.path)
        if parts.path in self.held:
            self._released.wait()
            return
        pages: dict[str, Callable[[], None]] = {
            "/.well-known/openid-configuration": lambda: self._json(handler, 200, self._discovery()),
            "/moved": lambda: self._json(handler, 200, self._discovery()),
            "/jwks": lambda: self._json(handler, 200, {"keys": self.published}),
            "/authorize": lambda: self._authorize(handler, query, handler.path),
            "/token": lambda: self._token(handler, form),
            "/logout": lambda: self._send(handler, 200, "text/html", f"<h1>Signed out</h1>{self._kept(query)}"),
        }
        if parts.path in self.answers:
            self._send(handler, *self.answers[parts.path])
        else:
            pages.get(parts.path, lambda: self._send(handler, 404, "text/plain", "nothing here"))()

    def _discovery(self) -> Claims:
        here = self.issuer
        return self.document(
            {
                "issuer": here,
                "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token",
                "jwks_uri": f"{here}/jwks",
                "end_session_endpoint": f"{here}/logout",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    def _authorize(self, handler: BaseHTTPRequestHandler, query: dict[str, str], path: str) -> None:
        right = (
            query.get("client_id") == CLIENT
            and query.get("redirect_uri") in self.redirect_uris
            and query.get("response_type") == "code"
            and "openid" in query.get("scope", "").split()
            and query.get("code_challenge_method") == "S256"
            and len(query.get("code_challenge", "")) == 43
        )
        if not right:
            self._send(handler, 400, "text/plain", "this request is not one of a client known here")
        elif self.consent and "yes" not in query:
            page = (
                f'<!doctype html><title>Hospital</title><a id="go" href="{path.replace("&", "&amp;")}&amp;yes=1">I am Anna</a>'
            )
            self._send(handler, 200, "text/html", page)
        else:
            code = secrets.token_urlsafe(16)
            self.grants[code] = Grant(query["redirect_uri"], query["code_challenge"], query.get("nonce", ""))
            back = {"code": code, "state": query["state"], "iss": self.issuer}
            handler.send_response(302)
            handler.send_header("Location", f"{query['redirect_uri']}?{urlencode(back)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def _token(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        self.forms.append(form)
        grant = self.grants.get(form.get("code", ""))
        challenge = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if not self._is_client(handler.headers.get("authorization", ""), form):
            self._json(handler, 401, {"error": "invalid_client"})
        elif grant is None or grant.used or grant.challenge != challenge or grant.redirect_uri != form.get("redirect_uri"):
            self._json(handler, 400, {"error": "invalid_grant"})
        else:
            grant.used = True
            now = int(self.now().timestamp())
            claims = {"iss": self.issuer, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": grant.nonce, **self.person}
            token = {"access_token": "an-access-token", "token_type": "Bearer", "id_token": self.sign(self.claims(claims))}
            self._json(handler, 200, token)

    def _is_client(self, authorization: str, form: dict[str, str]) -> bool:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
        if authorization.startswith("Basic "):
            left, _, right = base64.b64decode(authorization[6:]).decode().partition(":")
            given = (unquote(left), unquote(right))
        return given == (CLIENT, self.secret)

    def _kept(self, query: dict[str, str]) -> str:
        return f'<a href="{query["post_logout_redirect_uri"]}">back</a>' if query.get("client_id") == CLIENT else ""

    def _json(self, handler: BaseHTTPRequestHandler, status: int, body: Claims) -> None:
        self._send(handler, status, "application/json", json.dumps(body))

    def _send(self, handler: BaseHTTPRequestHandler, status: int, kind: str, body: str) -> None:
        data = body.encode()
        handler.send_response(status)
        handler.send_header("Location" if status == 302 else "Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
