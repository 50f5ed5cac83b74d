"""Framing: whatever comes in whatever pieces, the messages come out, or it is said that there are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.hl7.mllp import Frames, NotFramed, framed

messages = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\x0b", b"").replace(b"\x1c", b"")), max_size=5)


def heard(data: bytes, cuts: list[int], most: int = 1000) -> list[bytes]:
    frames, found, last = Frames(most), [], 0
    for cut in sorted({min(cut, len(data)) for cut in [*cuts, len(data)]}):
        frames.feed(data[last:cut])
        last = cut
        while (message := frames.next()) is not None:
            found.append(message)
    assert frames.is_between
    return found


@given(sent=messages, cuts=st.lists(st.integers(0, 300), max_size=20))
def test_however_it_is_cut_the_messages_come_out(sent: list[bytes], cuts: list[int]) -> None:
    assert heard(b"".join(map(framed, sent)), cuts) == sent
    assert heard(b"\r\n".join(map(framed, sent)), cuts) == sent


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1", b"MSH|^~\\&", b"\x0bMSH\x0bMSH\x1c\r", b"\x0bMSH\x1cX", b"\x1c\r", b"\x0b" + b"A" * 1002]
)
def test_what_is_no_frame_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotFramed):
        heard(data, [*range(len(data))])


def test_the_longest_message_is_taken_and_one_byte_more_is_not() -> None:
    assert heard(framed(b"A" * 1000), [7]) == [b"A" * 1000]
    with pytest.raises(NotFramed, match="1000 bytes") as raised:
        heard(framed(b"MSH" + b"A" * 998), [7])
    assert raised.value.too_long
    assert raised.value.begun.startswith(b"MSH")


@given(data=st.binary(max_size=200))
def test_anything_is_messages_or_not_framed(data: bytes) -> None:
    frames = Frames(100)
    try:
        for byte in data:
            frames.feed(bytes([byte]))
            while frames.next() is not None:
                pass
    except NotFramed:
        pass


@pytest.mark.parametrize("message", [b"a\x0bb", b"a\x1cb"])
def test_a_message_with_the_framing_in_it_is_not_sent(message: bytes) -> None:
    with pytest.raises(ValueError, match="VT"):
        framed(message)
