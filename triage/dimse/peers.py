"""Whom the settings name: an AE title, from one address or from any."""

from dataclasses import dataclass
from ipaddress import ip_address

from triage.domain.errors import ConfigError
from triage.domain.identifiers import is_ae_title


@dataclass(frozen=True, slots=True)
class Peer:
    """Who may associate: an AE title, from one address or (``None``) from any."""

    ae_title: str
    address: str | None = None

    @classmethod
    def parse(cls, text: str, setting: str = "dimse.allowed_peers") -> "Peer":
        """``AET`` or ``AET@ADDRESS``.

        Raises:
            ConfigError: neither.
        """
        ae_title, at, address = text.partition("@")
        try:
            told = str(ip_address(address.strip())) if at else None  # no address behind an @ is not any address
        except ValueError:
            told = ""
        if not is_ae_title(ae_title) or told == "":
            raise ConfigError(f"{setting}: {text!r} is not AET or AET@ADDRESS")
        return cls(ae_title.strip(), told)

    def admits(self, ae_title: str, address: str) -> bool:
        """Whether a peer is this one. A title alone proves nothing; TLS is what binds it to a sender."""
        return self.ae_title == ae_title.strip() and self.address in (None, address.removeprefix("::ffff:"))
