"""Settings: a TOML file, overridden by TRIAGE_… variables, overridden by options. Every fault is listed at once."""

import difflib
import os
import tomllib
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from triage.dimse.bindings import Bindings
from triage.dimse.tls_files import TlsFiles
from triage.dimse.tls_settings import TlsSettings
from triage.domain.account import Role, SessionLimits
from triage.domain.destination import Destination
from triage.domain.duration import parse_duration
from triage.domain.errors import ConfigError
from triage.domain.identifiers import is_ae_title
from triage.domain.level import HeadStarts
from triage.oidc.settings import OidcSettings
from triage.web.viewer_link import check_template

PREFIX = "TRIAGE_"
FILE_NAME = "triage.toml"
DEFAULT_HOME = "triage-home"


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


Duration = Annotated[timedelta, BeforeValidator(_duration)]
HeadStart = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=3650))]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class DimseSettings(_Section):
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

    @field_validator("commitment_peers")
    @classmethod
    def _destinations(cls, value: list[str]) -> list[str]:
        titles = [Destination.parse(one).ae_title for one in value]
        if len(set(titles)) < len(titles):
            raise ValueError("an AE title twice: reports go to one address")
        return value

    @property
    def destinations(self) -> dict[str, Destination]:
        """Where reports of storage commitment go, by AE title."""
        return {one.ae_title: one for one in map(Destination.parse, self.commitment_peers)}


class WebSettings(_Section):
    """The pages and the API."""

    public_url: str = Field(default="", description="how people reach the pages, e.g. https://triage.example; empty: loopback")
    allow_plain_http: bool = Field(default=False, description="serve beyond loopback without https: passwords can be overheard")
    host: str = Field(default="127.0.0.1", description="address to listen on; beyond loopback only with an https public_url")
    port: int = Field(default=8080, ge=0, le=65535, description="0: the system chooses")
    trusted_proxy: Annotated[list[str], BeforeValidator(_listed)] = Field(
        default=[], description="addresses of the proxy before it: the last hop of its X-Forwarded-For counts as the caller's"
    )
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
    def _origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or value.rstrip("/") != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValueError("give https:// and a name, nothing behind it: https://triage.example")
        return value.rstrip("/").lower()

    @field_validator("trusted_proxy")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        try:
            return [str(ip_address(one)) for one in value]
        except ValueError:
            raise ValueError("give IP addresses, for example 127.0.0.1") from None

    @field_validator("host")
    @classmethod
    def _behind_tls(cls, value: str, info: ValidationInfo) -> str:
        secure = info.data.get("public_url", "").startswith("https://") or info.data.get("allow_plain_http", False)
        if not _is_loopback(value) and not secure:
            raise ValueError(
                "beyond loopback people sign in over the network: put TLS before it and name it in web.public_url (https://…)"
            )
        return value


class ReadingSettings(_Section):
    """How readers share the list."""

    lease_minutes: int = Field(default=15, ge=1, le=1440, description="how long a claim lasts that nobody renews")

    @property
    def lease(self) -> timedelta:
        """The lease of a claim."""
        return timedelta(minutes=self.lease_minutes)


class ViewerSettings(_Section):
    """What the study page offers beyond previews, to roles that may see it."""

    full_frames: bool = Field(default=False, description="films at full resolution, still not for diagnosis")
    heat_map: bool = Field(default=False, description="where the score depended on the film; a triage aid marks the case only")


class SessionSettings(_Section):
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


class WorkerSettings(_Section):
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


class HeadStartSettings(_Section):
    """By how much each level moves a study up."""

    stat: HeadStart = timedelta(days=30)
    flagged: HeadStart = timedelta(hours=24)
    not_assessed: HeadStart = timedelta(hours=24)
    pending: HeadStart = timedelta(hours=24)
    out_of_scope: HeadStart = timedelta(0)
    not_flagged: HeadStart = timedelta(0)


class PolicySettings(_Section):
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


class StorageSettings(_Section):
    """The disk."""

    floor_bytes: int = Field(default=512 << 20, ge=0, description="room left free; below it films are refused with 0xA700")
    scrub_every: Duration = Field(
        default=timedelta(days=30),
        ge=timedelta(hours=1),
        le=timedelta(days=3650),
        description="within this time every film is read again and compared with its digest",
    )
    scrub_slice_bytes: int = Field(
        default=4 << 30, ge=1 << 20, description="most bytes that are read again at a time, every ten minutes"
    )


class Settings(_Section):
    """Everything that can be set."""

    home: Path = Field(default=Path(DEFAULT_HOME), description="holds database, instances, models")
    database_url: str | None = Field(default=None, description="default: SQLite at HOME/triage.db")
    dimse: DimseSettings = DimseSettings()
    web: WebSettings = WebSettings()
    viewer: ViewerSettings = ViewerSettings()
    reading: ReadingSettings = ReadingSettings()
    sessions: SessionSettings = SessionSettings()
    oidc: OidcSettings = OidcSettings()
    worker: WorkerSettings = WorkerSettings()
    policy: PolicySettings = PolicySettings()
    storage: StorageSettings = StorageSettings()

    @property
    def database(self) -> str:
        """The database URL in use."""
        return self.database_url or f"sqlite:///{self.home / 'triage.db'}"

    @property
    def tls_files(self) -> TlsFiles | None:
        """The files of DICOM TLS; ``None``: it is off."""
        return self.dimse.tls.files(self.home)

    @property
    def tls_bindings(self) -> Bindings:
        """Which certificates may use which AE titles beside their own."""
        return Bindings.of(self.dimse.tls.bindings)

    @property
    def has_database(self) -> bool:
        """Whether the database was made already; one that is no file counts as made."""
        prefix, _, path = self.database.partition(":///")
        return prefix != "sqlite" or Path(path).is_file()


def load(
    *,
    home: Path | None = None,
    config: Path | None = None,
    overrides: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
) -> Settings:
    """The settings in force: options over variables over file over defaults.

    Raises:
        ConfigError: with every fault on a line of its own.
    """
    environment = dict(os.environ) if environment is None else environment
    values = _from_environment(environment)
    chosen = (home or Path(values.pop("home", "") or DEFAULT_HOME)).absolute()
    file = config or chosen / FILE_NAME
    from_file: dict[str, Any] = {}
    if config is not None or file.is_file():
        try:
            from_file = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{file}: no such file; leave --config out or name one that exists") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{file}: {error}") from None
    merged = _merge(_merge(from_file, values), overrides or {})
    try:
        return Settings(**{**merged, "home": chosen})
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(one) for one in error.errors())) from None


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, Any]:
    """Every setting by its dotted name, with its field."""
    keys: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= known_keys(kind, f"{prefix}{name}.")
        else:
            keys[f"{prefix}{name}"] = info
    return keys


def _from_environment(environment: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if name.startswith(PREFIX):
            *parents, last = name[len(PREFIX) :].lower().split("__")
            section = values
            for parent in parents:
                section = section.setdefault(parent, {})
                if not isinstance(section, dict):
                    raise ConfigError(f"{parent}: a group of settings, not a setting; unset {PREFIX}{parent.upper()}")
            section[last] = text
    return values


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        merged[key] = _merge(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
    return merged


def _fault(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known_keys(), n=1, cutoff=0.4)
        return f"{name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


def without_secrets(value: Any) -> Any:
    """A setting's value, fit to be shown: secrets and passwords in URLs masked, times, paths and roles as text."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, dict):
        return {name: without_secrets(one) for name, one in value.items()}
    if isinstance(value, Role):
        return value.value
    if isinstance(value, str) and "://" in value:
        scheme, _, rest = value.partition("://")
        login, at, place = rest.rpartition("@")
        return f"{scheme}://{login.partition(':')[0]}:***@{place}" if at and ":" in login else value
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Path) else value
