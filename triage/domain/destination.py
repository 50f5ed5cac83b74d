"""Where an application entity listens."""

from dataclasses import dataclass

from triage.domain.identifiers import is_ae_title


@dataclass(frozen=True, slots=True)
class Destination:
    """AE title, host, port."""

    ae_title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """``AET@HOST:PORT``; an IPv6 address stands in brackets.

        Raises:
            ValueError: not of that form.
        """
        ae_title, at, rest = text.rpartition("@")
        host, colon, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (at and colon and host and _is_port(port) and is_ae_title(ae_title)):
            raise ValueError(f"{text!r} is not AET@HOST:PORT, for example MODALITY@192.0.2.7:104")
        return cls(ae_title.strip(), host, int(port))

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536
