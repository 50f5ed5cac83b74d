"""Settings: a TOML file, overridden by TRIAGE_… variables, overridden by options. Every fault is listed at once."""

import difflib
import os
import re
import tomllib
from datetime import timedelta
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from triage.config.backup import BackupSettings
from triage.config.destinations import DestinationSettings
from triage.config.retention import RetentionSettings
from triage.config.sections import (
    DimseSettings,
    Hl7Settings,
    PolicySettings,
    ReadingSettings,
    Section,
    SessionSettings,
    ViewerSettings,
    WebSettings,
    WorkerSettings,
)
from triage.config.storage import StorageSettings
from triage.dimse.bindings import Bindings
from triage.dimse.tls_files import TlsFiles
from triage.domain.account import Role
from triage.domain.errors import ConfigError
from triage.domain.role import NODE
from triage.oidc.settings import OidcSettings

PREFIX = "TRIAGE_"
FILE_NAME = "triage.toml"
DEFAULT_HOME = "triage-home"
SECRET_PARAMETER = re.compile(r"([?&](?:[^=&#]*(?:password|secret|token|key|sig)[^=&#]*)=)[^&#]*", re.IGNORECASE)
"""A password in a URL's query, as PostgreSQL and many webhooks take it."""


class Settings(Section):
    """Everything that can be set."""

    home: Path = Field(default=Path(DEFAULT_HOME), description="holds database, instances, models")
    database_url: str | None = Field(default=None, description="default: SQLite at HOME/triage.db")
    node: str = Field(default="", description="this machine's name where several share a database; empty: there is one")
    dimse: DimseSettings = DimseSettings()
    hl7: Hl7Settings = Hl7Settings()
    web: WebSettings = WebSettings()
    viewer: ViewerSettings = ViewerSettings()
    reading: ReadingSettings = ReadingSettings()
    sessions: SessionSettings = SessionSettings()
    oidc: OidcSettings = OidcSettings()
    worker: WorkerSettings = WorkerSettings()
    policy: PolicySettings = PolicySettings()
    storage: StorageSettings = StorageSettings()
    backup: BackupSettings = BackupSettings()
    retention: RetentionSettings = RetentionSettings()
    destinations: list[DestinationSettings] = Field(default=[], description="systems that hear of results")

    @field_validator("node")
    @classmethod
    def _fit_to_sign(cls, value: str) -> str:
        if value and not NODE.fullmatch(value):
            raise ValueError("letters, digits, '.', '_' and '-' only, 63 at most, the first a letter or digit")
        return value

    @field_validator("destinations")
    @classmethod
    def _told_apart(cls, value: list[DestinationSettings]) -> list[DestinationSettings]:
        if len({one.name for one in value}) < len(value):
            raise ValueError("a name twice: each destination has one of its own")
        return value

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


def shown(settings: Settings) -> dict[str, Any]:
    """Every setting in force by its name, secrets masked."""
    return {name: without_secrets(reduce(getattr, name.split("."), settings)) for name in known_keys()}


def without_secrets(value: Any) -> Any:
    """A setting's value, fit to be shown: secrets and passwords in URLs masked, times, paths and roles as text."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return without_secrets(dict(value))
    if isinstance(value, list):
        return [without_secrets(one) for one in value]
    if isinstance(value, dict):
        return {name: without_secrets(one) for name, one in value.items()}
    if isinstance(value, Role):
        return value.value
    if isinstance(value, str) and "://" in value:
        scheme, _, rest = value.partition("://")
        login, at, place = rest.rpartition("@")
        masked = f"{scheme}://{login.partition(':')[0]}:***@{place}" if at and ":" in login else value
        return SECRET_PARAMETER.sub(r"\1***", masked)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Path) else value
