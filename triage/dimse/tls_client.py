"""DICOM TLS as the one who calls: ``triage send --tls``, and reports to those who sent."""

import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from triage.dimse.bindings import Bindings
from triage.dimse.tls import apply_profile, load_identity, load_lists, titles_of
from triage.dimse.tls_files import TlsFiles
from triage.dimse.tls_words import refusal
from triage.services.ports import Clock


class WrongPeer(ssl.SSLError):
    """The certificate is good, and somebody else's."""


class ClientContext(ssl.SSLContext):
    """A context for one destination. ``failure``: why the last handshake failed, in words, or ``None``."""

    failure: str | None = None
    ae_title: str
    host: str
    bindings: Bindings
    clock: Clock

    def check(self, connection: ssl.SSLSocket) -> None:
        """Whether the certificate shown is that of the application entity we call.

        Raises:
            WrongPeer: it is somebody else's.
        """
        if self.ae_title.strip() in titles_of(connection, self.bindings, self.clock()):
            return
        if self.host in _hosts(connection.getpeercert() or {}):
            return
        raise WrongPeer(f"its certificate names neither {self.ae_title.strip()} nor {self.host}")


class _Checked(ssl.SSLSocket):
    """A socket that is handed to nobody before its certificate was looked at: no byte of DICOM goes to a wrong peer."""

    def do_handshake(self, block: bool = False) -> None:
        context = self.context
        assert isinstance(context, ClientContext)
        try:
            super().do_handshake(block)
            context.check(self)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except WrongPeer as error:
            context.failure = str(error.args[0])
            raise
        except OSError as error:
            context.failure = refusal(error)
            raise


def client_context(files: TlsFiles, *, ae_title: str, host: str, bindings: Bindings, clock: Clock) -> ClientContext:
    """A context for calling ``ae_title`` at ``host``, for pynetdicom: ``associate(…, tls_args=(context, host))``.

    Raises:
        ConfigError: our files cannot be used.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    apply_profile(context)
    # DICOM knows peers by AE title and mostly by IP address; their certificates seldom hold a host name. The authority alone
    # would do for "a modality", not for "this archive": so the same rule as for callers counts (common name or binding is
    # the AE title), or else the host in the certificate's alternative names.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    load_identity(context, files, clock())
    load_lists(context, files)
    context.sslsocket_class = _Checked
    context.ae_title, context.host, context.bindings, context.clock = ae_title, _plain(host), bindings, clock
    return context


def _hosts(found: Mapping[str, Any]) -> set[str]:
    return {_plain(str(value)) for kind, value in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address")}


def _plain(host: str) -> str:
    try:
        return str(ip_address(host.strip()))
    except ValueError:
        return host.strip().rstrip(".").lower()
