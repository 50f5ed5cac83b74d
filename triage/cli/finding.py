"""One answer of ``triage check``: how it stands, and what to do about it."""

from dataclasses import asdict, dataclass

OK, WARN, FAIL = "ok", "WARN", "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer."""

    mark: str
    subject: str
    words: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)
