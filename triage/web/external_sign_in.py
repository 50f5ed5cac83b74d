"""The browser's way to the identity provider and back: start, callback, and signing out there, too."""

from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from triage.domain.account import SignInThrottled
from triage.domain.external import ATTEMPT_LASTS, ExternalRefused, ProviderSilent
from triage.services.external_sign_in import Keys, NotBegun
from triage.web.external import External
from triage.web.identity import cookie_of
from triage.web.sign_in import SignIn, is_secure, own_path, sentence

COOKIE, SECURE_COOKIE = "triage-oidc", "__Host-triage-oidc"
CALLBACK = "/oidc/callback"
PROVIDER_ERRORS = frozenset({"access_denied", "login_required", "interaction_required", "consent_required", "server_error"})
"""What the audit repeats of a provider's refusal (RFC 6749, 4.1.2.1); anything else could be anybody's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The steps behind the three addresses."""

    sign_in: SignIn
    external: External

    @property
    def cookie(self) -> str:
        """The attempt's cookie; behind TLS bound to exactly this host."""
        return SECURE_COOKIE if is_secure(self.sign_in.public_url) else COOKIE

    def base(self, request: Request) -> str:
        """Where the provider sends the browser back to: as configured, else our socket; never what ``Host`` says."""
        if self.sign_in.public_url:
            return self.sign_in.public_url
        host, port = request.scope["server"]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self, request: Request, asked: str) -> Response:
        """Begin an attempt and send the browser off."""
        base = self.base(request)
        if not self.sign_in.public_url and request.headers["host"] != base.partition("://")[2]:
            # a cookie set for localhost would not come back to 127.0.0.1
            return RedirectResponse(f"{base}/oidc/start?{urlencode({'next': asked})}", 303)
        secret = self.external.steps.begin(asked)
        keys = Keys(secret)
        try:
            there = self.external.provider.authorization_url(
                base + CALLBACK, state=keys.state, nonce=keys.nonce, verifier=keys.verifier
            )
        except ProviderSilent as silent:
            structlog.get_logger().warning("identity provider does not answer", cause=silent.code)
            return self.sign_in.page(asked, self._silent(), status=502)
        answer = RedirectResponse(there, 303)
        lasts, secure = int(ATTEMPT_LASTS.total_seconds()), is_secure(self.sign_in.public_url)
        answer.set_cookie(self.cookie, secret, max_age=lasts, httponly=True, samesite="lax", secure=secure, path="/")
        return answer

    def back(self, request: Request) -> Response:
        """What the provider sent the browser back with; nothing of it stays in the address."""
        steps, address = self.external.steps, request.client.host if request.client else ""
        try:
            answer = self._enter(request, address)
        except SignInThrottled as throttled:
            answer = self.sign_in.page("/", sentence(throttled), status=429)
            answer.headers["Retry-After"] = str(int(throttled.wait.total_seconds()) + 1)
        except NotBegun as refusal:
            structlog.get_logger().warning("sign-in by the identity provider refused", cause=refusal.code)
            return self.sign_in.page("/", sentence(refusal), status=403)
        except ExternalRefused as refusal:
            steps.refused(refusal, address)
            silent = isinstance(refusal, ProviderSilent)
            structlog.get_logger().warning("sign-in by the identity provider refused", cause=refusal.code)
            answer = self.sign_in.page("/", self._silent() if silent else sentence(refusal), status=502 if silent else 403)
        answer.delete_cookie(self.cookie, httponly=True, samesite="lax", secure=is_secure(self.sign_in.public_url), path="/")
        return answer

    def _enter(self, request: Request, address: str) -> Response:
        given = dict(request.query_params.multi_items())
        secret = cookie_of(request.headers, self.cookie)
        attempt = self.external.steps.resume(secret, given.get("state", ""), address)
        if "code" not in given:
            error = given.get("error", "")
            code = f"provider: {error}" if error in PROVIDER_ERRORS else "provider: no code"
            raise ExternalRefused(code, "the hospital's sign-in was not finished; begin again")
        keys = Keys(secret)
        claims = self.external.provider.claims(
            given["code"], self.base(request) + CALLBACK, verifier=keys.verifier, nonce=keys.nonce, issuer=given.get("iss")
        )
        former = cookie_of(request.headers, self.sign_in.cookie)
        return self.sign_in.opened(self.external.steps.enter(claims, address, former), own_path(attempt.next))

    def leave(self, request: Request) -> Response:
        """End the session at the provider, where it says how."""
        there = self.external.provider.end_session_url
        if there is None:
            return RedirectResponse("/sign-in", 303)
        return RedirectResponse(f"{there}&{urlencode({'post_logout_redirect_uri': self.base(request) + '/sign-in'})}", 303)

    def _silent(self) -> str:
        words = "The hospital's sign-in service does not answer as it should. Try again in a moment"
        return f"{words}, or sign in with a password of this service." if self.external.passwords else f"{words}."


def router(way: Way) -> APIRouter:
    """The three addresses."""
    routes = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @routes.get("/oidc/start")
    def start(request: Request, next: str = "/") -> Response:
        return way.start(request, own_path(next))

    @routes.get(CALLBACK)
    def back(request: Request) -> Response:
        return way.back(request)

    @routes.get("/oidc/sign-out")
    def leave(request: Request) -> Response:
        return way.leave(request)

    return routes
