"""How sign-in by the hospital's identity provider is set."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from triage.domain.account import Role
from triage.domain.errors import ConfigError
from triage.domain.external import Rules, is_safe_url


def _pairs(value: Any) -> Any:
    """A table, or ``value=role`` with commas between them, as a variable gives it."""
    if not isinstance(value, str):
        return value
    items = (item.rpartition("=") for item in value.split(",") if item.strip())
    return {left.strip(): right.strip() for left, _, right in items}


class OidcSettings(BaseModel):
    """Sign-in by the hospital's identity provider (OpenID Connect); needs the extra ``[oidc]``."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    issuer: str = Field(default="", description="the provider's issuer, https; empty: passwords and tokens only")
    client_id: str = Field(default="", description="our name at the provider")
    client_secret: SecretStr = Field(default=SecretStr(""), description="empty: a public client, by PKCE alone")
    client_secret_file: Path | None = Field(default=None, description="a file that holds it instead")
    scopes: str = Field(default="openid profile", description="what is asked for, spaces between")
    name_claim: str = Field(default="preferred_username", min_length=1, description="the claim that names the account")
    role_claim: str = Field(default="groups", min_length=1, description="the claim that gives the role, or a dotted path")
    roles: Annotated[dict[str, Role], BeforeValidator(_pairs)] = Field(
        default={}, description="value of the claim = role; of several that a person has the first listed counts"
    )
    label: str = Field(default="Sign in with the hospital account", min_length=1, max_length=60, description="on the button")
    password_sign_in: bool = Field(default=True, description="passwords, too; false: only the provider, and tokens for scripts")

    @model_validator(mode="after")
    def _whole(self) -> "OidcSettings":
        if not self.issuer:
            if not self.password_sign_in:
                raise ValueError("password_sign_in = false shuts everybody out without an issuer; name one")
            return self
        if not is_safe_url(self.issuer) or "?" in self.issuer:
            raise ValueError("issuer: give https:// and the provider's name (http only on this machine itself)")
        if not self.client_id.isascii() or not self.client_id.isprintable() or not self.client_id:
            raise ValueError("client_id: give the name that the provider knows this service by")
        if self.client_secret_file is not None and self.client_secret.get_secret_value():
            raise ValueError("client_secret and client_secret_file: give one of the two")
        if "openid" not in self.scopes.split():
            raise ValueError("scopes: openid has to be among them")
        if not self.roles or Role.SERVICE in self.roles.values():
            raise ValueError("roles: give the claim's values and their roles; scripts (service) use tokens instead")
        if not self.password_sign_in and Role.PACS_ADMIN not in self.roles.values():
            raise ValueError("roles: without passwords somebody has to come as pacs_admin, or nobody can administer accounts")
        return self

    def secret(self) -> str:
        """The client's secret; empty: none.

        Raises:
            ConfigError: the file that should hold it cannot be read.
        """
        if self.client_secret_file is None:
            return self.client_secret.get_secret_value()
        try:
            return self.client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no text"
            raise ConfigError(f"oidc.client_secret_file: {self.client_secret_file}: {reason}") from None

    @property
    def rules(self) -> Rules:
        """How claims are read, as the domain wants it."""
        return Rules(issuer=self.issuer, name_claim=self.name_claim, role_claim=self.role_claim, roles=self.roles)
