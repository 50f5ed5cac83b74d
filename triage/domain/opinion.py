"""What a picture looks like, by the image gate; and what follows where tags and image speak together."""

from dataclasses import dataclass
from enum import Enum

from triage.domain.reason import Reason


class Word(Enum):
    """(code, in words, reason). ``code`` is stable and goes to bundles; ``reason``: why such a picture is not assessed."""

    CHEST = ("chest", "a frontal chest film", None)
    TURNED = ("turned", "a chest film turned to its side", Reason.NOT_UPRIGHT)
    UPSIDE_DOWN = ("upside_down", "a chest film upside down", Reason.NOT_UPRIGHT)
    INVERTED = ("inverted", "a chest film with black and white exchanged", Reason.POLARITY_CONFLICT)
    CROPPED = ("cropped", "a part of a chest film", Reason.CROPPED)
    NOT_A_CHEST = ("not_a_chest", "no chest film", Reason.DOUBTFUL_IMAGE)
    DOUBTFUL = ("doubtful", "unlike the chest films that the network knows", Reason.DOUBTFUL_IMAGE)

    def __init__(self, code: str, phrase: str, reason: Reason | None) -> None:
        self.code = code
        self.phrase = phrase
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """``chest``: the gate's share of belief, 0..1, that this is a frontal chest film as it must be. ``certain``: of a picture
    that is no chest film, that there is no doubt of it."""

    word: Word
    chest: float
    certain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a film is not assessed. ``out_of_scope``: tags and image agree that it is no chest radiograph. ``detail``: both."""

    reason: Reason
    out_of_scope: bool = False
    detail: str = ""


def judge(by_tags: Reason | None, opinion: Opinion | None) -> Refusal | None:
    """Why a film must not be scored, by tags and image together; ``None``: neither speaks against it.

    What the tags say comes first, as it says more of the patient; the image can confirm it or contradict it, never lift it.
    """
    if by_tags is None:
        if opinion is None or opinion.word.reason is None:
            return None
        return Refusal(reason=opinion.word.reason, detail=_both("nothing against a frontal chest film", opinion))
    if opinion is None:
        return Refusal(reason=by_tags)
    agreed = by_tags is Reason.NOT_A_CHEST_FILM and opinion.word is Word.NOT_A_CHEST and opinion.certain
    return Refusal(reason=by_tags, out_of_scope=agreed, detail=_both(by_tags.sentence, opinion))


def _both(tags: str, opinion: Opinion) -> str:
    return f"tags: {tags}; image: {opinion.word.phrase}"
