"""Parts written and read: the same whatever pieces they come in, and nothing that is no part passes for one."""

from collections.abc import Iterator
from contextlib import suppress
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.web.dicomweb.multipart import HEADER_BYTES, Begin, Content, End, Malformed, Reader, is_boundary, written

BOUNDARY = "0123456789abcdef"
Parts = list[tuple[str, bytes]]
PIECES = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n", b"\r\n--", b"--", b"\r", b"\n", b"\r\n--0123456789abcde", b"\r\n\r\n"]
)
CONTENT = st.lists(PIECES, max_size=8).map(b"".join).filter(lambda data: f"\r\n--{BOUNDARY}".encode() not in b"\r\n" + data)
PARTS = st.lists(st.tuples(st.sampled_from(["application/dicom", "image/jls; transfer-syntax=1.2"]), CONTENT), max_size=4)


def body_of(parts: Parts) -> bytes:
    return b"".join(written(BOUNDARY, ((kind, [data]) for kind, data in parts)))


def read(pieces: Iterator[bytes], boundary: str = BOUNDARY) -> Parts:
    reader, found = Reader(boundary), []
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, Begin):
                kind, content = event.headers.get("content-type", ""), b""
            elif isinstance(event, Content):
                content += event.data
            else:
                assert isinstance(event, End)
                found.append((kind, content))
    reader.close()
    return found


def cut(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    place = 0
    for length in [*lengths, len(data)]:
        yield data[place : place + length]
        place += length


@given(PARTS, st.lists(st.integers(0, 40), max_size=30))
def test_what_was_written_is_read_whatever_pieces_it_comes_in(parts: Parts, lengths: list[int]) -> None:
    assert read(cut(body_of(parts), lengths)) == parts
    assert read(iter([b"preamble\r\n", body_of(parts), b"epilogue"])) == parts
    assert read(bytes([byte]) for byte in body_of(parts)) == parts


@given(st.lists(st.tuples(st.just("application/dicom"), st.binary(max_size=50)), min_size=1, max_size=4))
def test_another_reader_finds_the_same_parts(parts: Parts) -> None:
    boundary = "no-byte-string-of-hypothesis-has-this-boundary"
    body = b"".join(written(boundary, ((kind, [data]) for kind, data in parts)))
    head = f'Content-Type: multipart/related; boundary="{boundary}"\r\n\r\n'.encode()
    payload = BytesParser().parsebytes(head + body).get_payload()
    assert isinstance(payload, list)
    assert [one.get_content_type() for one in payload] == [kind for kind, _ in parts]


@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=10))
def test_whatever_comes_is_parts_or_malformed(data: bytes, lengths: list[int]) -> None:
    for body in (data, b"--" + BOUNDARY.encode() + data, b"--" + BOUNDARY.encode() + b"\r\n\r\n" + data):
        with suppress(Malformed):
            read(cut(body, lengths))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--other\r\n\r\n--other--",
        b"--%s\r\n\r\nno end" % BOUNDARY.encode(),
        b"--%sx\r\n\r\n--%s--" % ((BOUNDARY.encode(),) * 2),
        b"--%sx\r\n\r\ncontent\r\n--%s--" % ((BOUNDARY.encode(),) * 2),
        b"--%s\r\nno colon\r\n\r\nx\r\n--%s--" % ((BOUNDARY.encode(),) * 2),
        b"--%s\r\n\xff: x\r\n\r\nx\r\n--%s--" % ((BOUNDARY.encode(),) * 2),
        b"--%s\r\nA: %s\r\n\r\nx\r\n--%s--" % (BOUNDARY.encode(), b"a" * HEADER_BYTES, BOUNDARY.encode()),
        b"--%s%s" % (BOUNDARY.encode(), b" " * 2 * HEADER_BYTES),
    ],
)
def test_what_is_no_multipart_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(iter([body]))


def test_a_large_part_is_not_held_back() -> None:
    reader, given = Reader(BOUNDARY), 0
    list(reader.feed(f"--{BOUNDARY}\r\n\r\n".encode()))
    for _ in range(100):
        events = list(reader.feed(bytes(1 << 16)))
        given += sum(len(one.data) for one in events if isinstance(one, Content))
        assert len(reader._held) <= 100
    assert given > 99 << 16


@pytest.mark.parametrize(
    ("text", "right"), [("a", True), ("a b", True), ("a ", False), ("", False), ("a" * 71, False), ("é", False)]
)
def test_a_boundary_is_one(text: str, right: bool) -> None:
    assert is_boundary(text) is right
