"""Which form an answer takes: quality, precision, quoted parameters, a missing header, and whatever else comes as Accept."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.web.dicomweb.accept import Offer, chosen, content_type, ranges
from triage.web.dicomweb.refused import Refused

EXPLICIT, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.80"
JSON = Offer(media_type="application/dicom+json")
JPEG, PNG = Offer(media_type="image/jpeg"), Offer(media_type="image/png")
STORED = Offer(media_type="application/octet-stream", multipart=True, transfer_syntax=JPEG_LS, default=False)
CELLS = Offer(media_type="application/octet-stream", multipart=True, transfer_syntax=EXPLICIT)
CODED = Offer(media_type="image/jls", multipart=True, transfer_syntax=JPEG_LS)
FRAMES = [STORED, CELLS, CODED]


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (None, CELLS),
        ("", CELLS),
        ("*/*", CELLS),
        ("multipart/related; type=application/octet-stream", CELLS),
        ('multipart/related; type="application/octet-stream"; transfer-syntax=*', STORED),
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", STORED),
        (f"multipart/related; type=application/octet-stream; transfer-syntax={JPEG_LS}", STORED),
        (f'multipart/related; type=application/octet-stream; transfer-syntax="{EXPLICIT}"', CELLS),
        ('multipart/related; type="image/jls"', CODED),
        ("multipart/related; type=image/*", CODED),
        ("Multipart/Related; TYPE=Image/JLS", CODED),
        ('multipart/related; type="image/jls"; q=0.5, multipart/related; type="application/octet-stream"', CELLS),
        ('multipart/related; type="image/jls", multipart/related; type="application/octet-stream";q=0.9', CODED),
        ("text/html, */*;q=0.1", CELLS),
        ('multipart/related; type="application/octet-stream"; q=0, */*', CODED),
    ],
)
def test_frames(header: str | None, taken: Offer) -> None:
    assert chosen(header, FRAMES) == taken


@pytest.mark.parametrize(
    "header",
    [
        "text/html",
        "application/octet-stream",
        "multipart/related; type=application/dicom",
        "*/*;q=0",
        "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.90",
        "image/jls",
        ",,,",
        ";",
        "a/b/c",
    ],
)
def test_what_there_is_not_is_406_and_says_what_there_is(header: str) -> None:
    with pytest.raises(Refused) as refused:
        chosen(header, FRAMES)
    assert refused.value.status == 406
    assert 'multipart/related; type="image/jls"; transfer-syntax=1.2.840.10008.1.2.4.80' in str(refused.value)


def test_of_equals_the_first_and_of_several_what_is_liked_more() -> None:
    assert chosen("image/*", [JPEG, PNG]) == JPEG
    assert chosen("image/png, image/jpeg;q=0.9", [JPEG, PNG]) == PNG
    assert chosen("image/*, image/jpeg;q=0.1", [JPEG, PNG]) == PNG, "the narrower range decides"
    assert chosen("application/json, application/dicom+json", [JSON]) == JSON
    assert chosen("text/html", [JPEG, PNG], asked="image/png") == PNG, "the query parameter outranks the header"


@given(st.text(max_size=200))
def test_any_header_is_an_offer_or_406(header: str) -> None:
    with suppress(Refused):
        assert chosen(header, FRAMES) in FRAMES
    content_type(header)


@given(
    st.lists(st.sampled_from(["image/jpeg", "image/png", "image/*", "*/*", "text/html"]), min_size=1, max_size=5),
    st.lists(st.integers(0, 10), min_size=5, max_size=5),
)
def test_what_is_taken_is_liked_and_nothing_is_liked_more(kinds: list[str], tenths: list[int]) -> None:
    header = ", ".join(f"{kind};q={tenth / 10}" for kind, tenth in zip(kinds, tenths, strict=False))

    def liking(offer: Offer) -> float:
        taking = [one for one in ranges(header) if one.takes(offer)]
        return max(taking, key=lambda one: one.precision).quality if taking else 0.0

    try:
        taken = chosen(header, [JPEG, PNG])
    except Refused:
        assert liking(JPEG) == liking(PNG) == 0
    else:
        assert liking(taken) == max(liking(JPEG), liking(PNG)) > 0
