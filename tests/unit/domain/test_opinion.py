"""Tags and image together: the image can only take away, and out of scope is what both call so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.domain.opinion import Opinion, Refusal, Word, judge
from triage.domain.reason import Reason

OPINIONS = st.none() | st.builds(
    Opinion, word=st.sampled_from(Word), chest=st.floats(0, 1, allow_nan=False), certain=st.booleans()
)


def opinion(word: Word, certain: bool = False) -> Opinion:
    return Opinion(word=word, chest=0.5, certain=certain)


def test_every_word_but_one_keeps_a_study_from_not_flagged() -> None:
    assert [word for word in Word if word.reason is None] == [Word.CHEST]
    assert all(word.reason.blocks for word in Word if word.reason)


@given(by_tags=st.none() | st.sampled_from(Reason), image=OPINIONS)
def test_a_film_is_scored_only_where_neither_speaks_against_it(by_tags: Reason | None, image: Opinion | None) -> None:
    free = judge(by_tags, image) is None
    assert free == (by_tags is None and (image is None or image.word is Word.CHEST))


@given(by_tags=st.sampled_from(Reason), image=OPINIONS)
def test_what_the_tags_say_stays_the_reason(by_tags: Reason, image: Opinion | None) -> None:
    refusal = judge(by_tags, image)
    assert refusal is not None
    assert refusal.reason is by_tags
    agreed = image is not None and image.certain and image.word is Word.NOT_A_CHEST
    assert refusal.out_of_scope == (agreed and by_tags is Reason.NOT_A_CHEST_FILM)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (Word.TURNED, Reason.NOT_UPRIGHT),
        (Word.UPSIDE_DOWN, Reason.NOT_UPRIGHT),
        (Word.INVERTED, Reason.POLARITY_CONFLICT),
        (Word.CROPPED, Reason.CROPPED),
        (Word.NOT_A_CHEST, Reason.DOUBTFUL_IMAGE),
        (Word.DOUBTFUL, Reason.DOUBTFUL_IMAGE),
    ],
)
def test_tags_of_a_chest_film_and_an_image_of_something_else(word: Word, reason: Reason) -> None:
    assert judge(None, opinion(word, certain=True)) == Refusal(
        reason=reason, detail=f"tags: nothing against a frontal chest film; image: {word.phrase}"
    )


def test_tags_of_something_else_and_the_image_of_a_chest_are_both_named() -> None:
    refusal = judge(Reason.NOT_A_CHEST_FILM, opinion(Word.CHEST))
    assert refusal == Refusal(
        reason=Reason.NOT_A_CHEST_FILM, detail="tags: not a chest radiograph by its tags; image: a frontal chest film"
    )


def test_both_agree_only_when_the_image_leaves_no_doubt() -> None:
    sure, unsure = (judge(Reason.NOT_A_CHEST_FILM, opinion(Word.NOT_A_CHEST, certain)) for certain in (True, False))
    assert sure is not None
    assert sure.out_of_scope
    assert unsure is not None
    assert not unsure.out_of_scope


def test_a_child_is_never_out_of_scope() -> None:
    refusal = judge(Reason.PAEDIATRIC, opinion(Word.NOT_A_CHEST, certain=True))
    assert refusal is not None
    assert not refusal.out_of_scope
