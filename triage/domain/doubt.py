"""Why a study's films may not be one patient's, or not all of them: the gravest mark that stands."""

from enum import Enum

from triage.domain.reason import Reason


class Doubt(Enum):
    """(code, sentence, reason, reopens), the gravest last.

    ``code`` is stable and goes to the API and the database. ``reason``: while the study carries the mark it cannot be *not
    flagged* or *out of scope*, it is not assessed for this reason; ``None``: a mark for the reader, who decides. ``reopens``: a
    study that was read comes back: its reader did not know. Whoever read a film that was lost later has seen it.
    """

    NAMES_DIFFER = (
        "names_differ",
        "its films do not all name the patient alike, or one names none: make sure whose each is",
        None,
        False,
    )
    FILM_SET_ASIDE = ("film_set_aside", Reason.FILM_SET_ASIDE.sentence, Reason.FILM_SET_ASIDE, True)
    FILM_DAMAGED = ("film_damaged", Reason.FILM_DAMAGED.sentence, Reason.FILM_DAMAGED, False)
    IDENTITY_CONFLICT = ("identity_conflict", Reason.IDENTITY_CONFLICT.sentence, Reason.IDENTITY_CONFLICT, True)

    def __init__(self, code: str, sentence: str, reason: Reason | None, reopens: bool) -> None:
        self.code = code
        self.sentence = sentence
        self.reason = reason
        self.reopens = reopens

    @classmethod
    def from_code(cls, code: str) -> "Doubt":
        """The mark of a stored code.

        Raises:
            ValueError: no such code.
        """
        for doubt in cls:
            if doubt.code == code:
                return doubt
        raise ValueError(f"no doubt has the code {code!r}")


def graver(one: Doubt | None, other: Doubt | None) -> Doubt | None:
    """The graver of two marks; none weighs least."""
    order = [None, *Doubt]
    return max(one, other, key=order.index)
