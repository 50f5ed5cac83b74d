"""Sign-in by the hospital's identity provider, as the pages need it."""

from dataclasses import dataclass

from triage.services.external_sign_in import ExternalSignIn, Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The provider, the steps, what the button says, and whether passwords serve beside it."""

    provider: Provider
    steps: ExternalSignIn
    label: str
    passwords: bool = True
