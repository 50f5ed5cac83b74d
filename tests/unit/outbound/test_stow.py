"""Results by STOW-RS: an object is delivered once the server says so of that object."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.outbound.servers import Heard, Reply, plain, serving, stow
from tests.unit.reporting.results import DEVICE, STUDY, header, scored
from triage.domain.delivery import DicomObject, PeerAway, PeerRefused, Receipt
from triage.domain.result import Result
from triage.outbound.stow import StowTransport, multipart, statuses
from triage.reporting.structured_report import structured_report

RESULT = scored(0.9)


def one(result: Result, predecessors: tuple[Result, ...]) -> Sequence[DicomObject]:
    return [structured_report(result, predecessors, [header()], DEVICE)]


def two(result: Result, predecessors: tuple[Result, ...]) -> Sequence[DicomObject]:
    return [*one(result, predecessors), *one(scored(0.95), predecessors)]


def sent(url: str, make: Callable[..., Sequence[DicomObject]] = one, token: str = "", within: float = 10) -> Receipt:
    return StowTransport(url, token=token, within_seconds=within, make=make).send(RESULT, ())


def test_objects_arrive_as_they_were_made_with_the_token() -> None:
    with serving(stow()) as server:
        assert sent(server.url + "/", two, "secret") == Receipt(status="HTTP 200")
        (heard,) = server.heard
    assert heard.path == "/dicom-web/studies"
    assert heard.headers["Authorization"] == "Bearer secret"
    assert heard.headers["Content-Type"].startswith('multipart/related; type="application/dicom"')
    assert [part.SOPInstanceUID for part in heard.parts] == [made.sop_instance_uid for made in two(RESULT, ())]
    assert heard.parts[0].StudyInstanceUID == STUDY


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        ([0x0000, 0xB000], Receipt(status="HTTP 200")),
        ([0x0000, 0xA700], PeerAway),
        ([0x0000, 0xC000], Receipt(status="HTTP 202; the peer does not take the object: status C000")),
        ([0xC000, 0x0000], PeerRefused),
        ([0x0122, 0x0122], PeerRefused),
        ([0xA700, 0xA700], PeerAway),
        ([0x0111, 0x0111], Receipt(status="HTTP 409")),  # it has them already
    ],
)
def test_each_object_is_answered_for_itself(fates: list[int], expected: object) -> None:
    with serving(stow(fates.__getitem__)) as server:
        if isinstance(expected, Receipt):
            assert sent(server.url, two) == expected
        else:
            assert isinstance(expected, type)
            with pytest.raises(expected):
                sent(server.url, two)


def silent_on_one(heard: Heard) -> Reply:
    status, headers, body = stow()(heard)
    document = json.loads(body)
    document["00081199"]["Value"].pop()
    return status, headers, json.dumps(document).encode()


def test_an_object_of_which_nothing_is_said_is_not_delivered() -> None:
    with serving(silent_on_one) as server, pytest.raises(PeerAway, match="not a word"):
        sent(server.url, two)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"", None),  # PS3.18: all stored
        (200, b"<NativeDicomModel/>", None),
        (202, b"", PeerAway),
        (409, b"", PeerRefused),
        (400, b"", PeerRefused),
        (401, b"", PeerAway),
        (404, b"", PeerRefused),
        (415, b"", PeerRefused),
        (301, b"", PeerRefused),
        (408, b"", PeerAway),
        (429, b"", PeerAway),
        (500, b"", PeerAway),
        (503, b"", PeerAway),
    ],
)
def test_a_status_without_a_word_on_objects(status: int, body: bytes, expected: type[Exception] | None) -> None:
    with serving(plain(status, body, Location="http://127.0.0.1:1/elsewhere")) as server:
        if expected is None:
            assert sent(server.url).status == f"HTTP {status}"
            return
        with pytest.raises(expected, match=str(status)):
            sent(server.url)
        assert len(server.heard) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        _deeper := lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["00081198", "00081199", "00081155", "00081197", "Value"]), inner, max_size=4)
        ),
    )
)
def test_whatever_the_answer_is_it_is_read_or_passed_over(document: object) -> None:
    statuses(json.dumps(document).encode())
    statuses(json.dumps(document).encode()[:-1])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=3))
def test_the_boundary_occurs_in_no_part(parts: list[bytes]) -> None:
    content_type, body = multipart(parts)
    assert body.count(content_type.rpartition("boundary=")[2].encode()) == len(parts) + 1
    assert multipart(parts) == (content_type, body)
