"""The groups of settings, each with its defaults, its limits and what it is for."""

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from triage.dimse.peers import Peer
from triage.dimse.tls_settings import TlsSettings
from triage.domain.account import SessionLimits
from triage.domain.destination import Destination
from triage.domain.duration import parse_duration
from triage.domain.errors import ConfigError
from triage.domain.identifiers import is_ae_title
from triage.domain.level import HeadStarts
from triage.web.viewer_link import check_template


def _duration(value: Any) -> Any:
    """Seconds, or a number with a unit: ``24 h``, ``30 d``, ``15 min``."""
    if isinstance(value, str) and (found := parse_duration(value)) is not None:
        return found
    if isinstance(value, bool):
        raise ValueError("give seconds, or a number with a unit: 24 h")
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    return value


def _listed(value: Any) -> Any:
    """A list, or its items with commas between them, as a variable gives them."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError:
        raise ValueError("give an IP address, for example 127.0.0.1") from None


def _origin(value: str) -> str:
    """Scheme, name and port, as browsers write an origin."""
    parts = urlsplit(value)
    bare = value.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare or parts.username is not None:
        raise ValueError("give https:// and a name, nothing behind it: https://triage.example")
    return value.rstrip("/").lower()


Duration = Annotated[timedelta, BeforeValidator(_duration)]
HeadStart = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=3650))]


class Section(BaseModel):
    """Immutable; a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DimseSettings(Section):
    """The Storage SCP."""

    ae_title: str = Field(default="TRIAGE", description="our AE title; senders must call it")
    tls: TlsSettings = TlsSettings()
    allow_plain_dicom: bool = Field(
        default=False, description="serve beyond loopback without TLS: films can be read on the way"
    )
    host: str = Field(default="127.0.0.1", description="address to listen on; beyond loopback only with dimse.tls")
    port: int = Field(default=11112, ge=0, le=65535, description="0: the system chooses")
    allowed_peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[],
        description="AET or AET@ADDRESS; empty: any AE title on loopback, with TLS any that its certificate may use",
    )
    commitment_peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[],
        description="AET@HOST:PORT, where senders hear storage commitment reports; not listed: on their own associations only",
    )
    query_peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="AET or AET@ADDRESS, who may ask for the list (C-FIND); empty: nobody"
    )
    retrieve_peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="AET or AET@ADDRESS, who may fetch films (C-GET, C-MOVE); empty: nobody"
    )
    move_destinations: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="AET@HOST:PORT, where films may be moved to (C-MOVE); empty: nowhere"
    )
    max_associations: int = Field(default=100, ge=1, le=10_000, description="associations at the same time")
    max_associations_of_address: int = Field(default=50, ge=1, le=10_000, description="of those, from one address")
    max_object_bytes: int = Field(default=256 << 20, ge=1 << 16, description="larger objects are refused with 0xA700")

    @field_validator("ae_title")
    @classmethod
    def _title(cls, value: str) -> str:
        if not is_ae_title(value):
            raise ValueError("not an AE title (1 to 16 characters, no backslash)")
        return value

    @field_validator("host")
    @classmethod
    def _behind_tls(cls, value: str, info: ValidationInfo) -> str:
        if _is_loopback(value) or info.data.get("allow_plain_dicom", False):
            return value
        tls = info.data.get("tls")  # none: it is a fault of its own, told beside this one
        if tls is not None and tls.certificate is None:
            raise ValueError(
                "beyond loopback only with DICOM TLS: run triage tls init, and name its files in dimse.tls; "
                "dimse.allow_plain_dicom = true does without"
            )
        return value

    @field_validator("allowed_peers")
    @classmethod
    def _somebody(cls, value: list[str], info: ValidationInfo) -> list[str]:
        tls, host = info.data.get("tls"), info.data.get("host", "127.0.0.1")
        if not value and not _is_loopback(host) and tls is not None and tls.certificate is None:
            raise ValueError("beyond loopback without TLS, list who may send: AET@ADDRESS")
        return value

    @field_validator("query_peers", "retrieve_peers")
    @classmethod
    def _peers(cls, value: list[str], info: ValidationInfo) -> list[str]:
        try:
            for one in value:
                Peer.parse(one, str(info.field_name))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        tls, host = info.data.get("tls"), info.data.get("host", "127.0.0.1")
        if not _is_loopback(host) and tls is not None and tls.certificate is None and not all("@" in one for one in value):
            raise ValueError("beyond loopback without TLS anybody can take a title: give AET@ADDRESS")
        return value

    @field_validator("commitment_peers", "move_destinations")
    @classmethod
    def _destinations(cls, value: list[str]) -> list[str]:
        titles = [Destination.parse(one).ae_title for one in value]
        if len(set(titles)) < len(titles):
            raise ValueError("an AE title twice: it stands for one address")
        return value

    @property
    def destinations(self) -> dict[str, Destination]:
        """Where reports of storage commitment go, by AE title."""
        return {one.ae_title: one for one in map(Destination.parse, self.commitment_peers)}


class Hl7Settings(Section):
    """Orders from the RIS, by HL7 over MLLP. Where results go: ``destinations``."""

    allow_plain_hl7: bool = Field(
        default=False,
        description="listen beyond loopback, which MLLP does without TLS: orders can be read and forged on the way",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on; beyond loopback only with hl7.allow_plain_hl7")
    port: int = Field(default=0, ge=0, le=65535, description="where orders come in; 0: none are taken")
    allowed_peers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="IP addresses that may connect; empty: any on loopback"
    )
    max_connections: int = Field(default=32, ge=1, le=1000, description="connections at the same time")
    max_message_bytes: int = Field(default=1 << 20, ge=1 << 12, le=64 << 20, description="longer messages are refused")
    accession_at: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="where the accession number stands, e.g. OBR-18; empty: the usual places of each message type"
    )
    stat_priorities: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=["S", "STAT"], description="priorities (ORC-7, TQ1-9, OBR-27) that put a study at STAT; A: as soon as possible"
    )

    @field_validator("host")
    @classmethod
    def _behind_tls(cls, value: str, info: ValidationInfo) -> str:
        if not _is_loopback(value) and not info.data.get("allow_plain_hl7", False):
            raise ValueError(
                "beyond loopback orders can be read and forged on the way: put a tunnel with TLS before it; "
                "hl7.allow_plain_hl7 = true does without"
            )
        return value

    @field_validator("allowed_peers")
    @classmethod
    def _somebody(cls, value: list[str], info: ValidationInfo) -> list[str]:
        if not value and not _is_loopback(info.data.get("host", "127.0.0.1")):
            raise ValueError("beyond loopback, list who may send orders: IP addresses")
        try:
            return [str(ip_address(one)) for one in value]
        except ValueError:
            raise ValueError("give IP addresses, for example 192.0.2.7") from None

    @field_validator("accession_at")
    @classmethod
    def _places(cls, value: list[str]) -> list[str]:
        if not all(re.fullmatch(r"[A-Z][A-Z0-9]{2}-[1-9][0-9]?", one) for one in value):
            raise ValueError("give segments and fields, for example OBR-18")
        return value

    @field_validator("stat_priorities")
    @classmethod
    def _codes(cls, value: list[str]) -> list[str]:
        return [one.upper() for one in value]


WIDEST = 8
"""The shortest prefix of a network of trusted proxies."""


class WebSettings(Section):
    """The pages and the API."""

    public_url: str = Field(default="", description="how people reach the pages, e.g. https://triage.example; empty: loopback")
    allow_plain_http: bool = Field(default=False, description="serve beyond loopback without https: passwords can be overheard")
    host: str = Field(default="127.0.0.1", description="address to listen on; beyond loopback only with an https public_url")
    port: int = Field(default=8080, ge=0, le=65535, description="0: the system chooses")
    trusted_proxy: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[],
        description="addresses or networks of the proxy before it; the last hop of X-Forwarded-For counts",
    )
    viewer_origins: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="viewers on origins of their own that may read /dicomweb in a browser: https://viewer.example"
    )
    stow: bool = Field(default=False, description="films may be stored by DICOMweb, too, with the token of a service account")
    metrics_open: bool = Field(default=False, description="/metrics needs no account from this machine itself")
    viewer_url: Annotated[str, AfterValidator(check_template)] = Field(
        default="",
        description=(
            "link to the hospital's viewer: http, https, weasis or radiant, with {study_instance_uid}, {accession_number}, "
            "{patient_id}; empty: none"
        ),
    )

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return _origin(value) if value else value

    @field_validator("viewer_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        return [_origin(one) for one in value]

    @field_validator("trusted_proxy")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        try:
            networks = [ip_network(one) for one in value]
        except ValueError:
            raise ValueError("give IP addresses or networks, for example 127.0.0.1 or 10.244.0.0/16") from None
        if any(network.prefixlen < WIDEST for network in networks):
            raise ValueError(f"a network wider than /{WIDEST} is nobody's proxies: whoever is in it could claim any address")
        return value

    @field_validator("host")
    @classmethod
    def _behind_tls(cls, value: str, info: ValidationInfo) -> str:
        secure = info.data.get("public_url", "").startswith("https://") or info.data.get("allow_plain_http", False)
        if not _is_loopback(value) and not secure:
            raise ValueError(
                "beyond loopback people sign in over the network: put TLS before it and name it in web.public_url (https://…)"
            )
        return value


class ReadingSettings(Section):
    """How readers share the list."""

    lease_minutes: int = Field(default=15, ge=1, le=1440, description="how long a claim lasts that nobody renews")

    @property
    def lease(self) -> timedelta:
        """The lease of a claim."""
        return timedelta(minutes=self.lease_minutes)


class ViewerSettings(Section):
    """What the study page offers beyond previews, to roles that may see it."""

    full_frames: bool = Field(default=False, description="films at full resolution, still not for diagnosis")
    heat_map: bool = Field(default=False, description="where the score depended on the film; a triage aid marks the case only")


class SessionSettings(Section):
    """Signed-in browsers."""

    idle: Duration = Field(
        default=timedelta(minutes=15), ge=timedelta(minutes=1), le=timedelta(hours=12), description="signed out when unused"
    )
    absolute: Duration = Field(
        default=timedelta(hours=12), ge=timedelta(minutes=1), le=timedelta(days=7), description="signed out in any case"
    )

    @property
    def limits(self) -> SessionLimits:
        """The policy as the domain wants it."""
        return SessionLimits(idle=self.idle, absolute=self.absolute)


class WorkerSettings(Section):
    """Assessment."""

    processes: int = Field(default=1, ge=1, le=64, description="workers, each with a warm network of its own")
    threads: int = Field(default=1, ge=1, le=64, description="threads of one network")
    max_attempts: int = Field(default=3, ge=1, le=100, description="failures until a study is quarantined")
    lease: Duration = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="how long a silent worker keeps a study",
    )


class HeadStartSettings(Section):
    """By how much each level moves a study up."""

    stat: HeadStart = timedelta(days=30)
    flagged: HeadStart = timedelta(hours=24)
    not_assessed: HeadStart = timedelta(hours=24)
    pending: HeadStart = timedelta(hours=24)
    out_of_scope: HeadStart = timedelta(0)
    not_flagged: HeadStart = timedelta(0)


class PolicySettings(Section):
    """What decides the order and who is assessed."""

    head_start: HeadStartSettings = HeadStartSettings()
    min_age_years: int = Field(default=16, ge=0, le=150, description="younger patients are not assessed")

    @field_validator("head_start")
    @classmethod
    def _ordered(cls, value: HeadStartSettings) -> HeadStartSettings:
        HeadStarts(**dict(value))
        return value

    @property
    def head_starts(self) -> HeadStarts:
        """The policy as the domain wants it."""
        return HeadStarts(**dict(self.head_start))
