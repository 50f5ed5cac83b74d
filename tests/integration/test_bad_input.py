"""Whatever is sent: the stated status or reason, nothing lost, nothing indexed wrongly, never *not flagged*."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import raw
from tests.integration.conftest import running, use_network
from tests.integration.modality import CONTEXTS, modality
from tests.integration.objects import (
    DX,
    EXPLICIT,
    SECONDARY_CAPTURE,
    SIDE,
    data_set,
    digest_of,
    element,
    elements_of,
    film,
    part10,
    sop_uid,
    study_uid,
)
from tests.integration.service import Service, until

JPEG_LS, IMPLICIT = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2"
SETTLED_WITHIN = 30
LIMIT = 1 << 16

HOSTILE_UIDS = {
    "traversal": "../../x",
    "absolute": "/etc/passwd",
    "dots": "..",
    "nul": "1.2\0.3",
    "leading zero": "1.02.3",
    "sql": "1.2'; DROP TABLE study; --",
    "newline": "1.2\n3",
    "space inside": "1.2 .3",
    "arabic digits": "1.٢.3",
}


def header_of(number: int, **changes: str | int | bytes | None) -> bytes:
    return data_set(elements_of(number, **{"PixelData": None, **changes}))


REFUSED: dict[str, tuple[bytes, int]] = {
    "HTML": (part10(b"<html><body>" + b"no film " * 200), 0xC101),
    "nothing": (part10(b""), 0xC101),
    "cut off in the header": (part10(header_of(1)[:60]), 0xC101),
    "no SOP Instance UID": (part10(header_of(2, SOPInstanceUID=None)), 0xC101),
    "no Study Instance UID": (part10(header_of(3, StudyInstanceUID=None), DX, sop_uid(3)), 0xC101),
    "no Series Instance UID": (part10(header_of(4, SeriesInstanceUID=None), DX, sop_uid(4)), 0xC101),
    "empty Study Instance UID": (film(5, StudyInstanceUID=""), 0xC101),
    "two Study Instance UIDs": (film(6, StudyInstanceUID="1.2\\1.3"), 0xC100),
    "65 characters in the data set": (film(7, StudyInstanceUID="1." * 32 + "1"), 0xC100),
    "command set and data set differ": (part10(data_set(elements_of(8)), DX, sop_uid(9)), 0xA900),
    "SOP class differs": (part10(data_set(elements_of(10)), SECONDARY_CAPTURE, sop_uid(10)), 0xA900),
    "larger than the limit": (film(11, Rows=320, Columns=320, PixelData=bytes(320 * 320)), 0xA700),
    **{f"SOP Instance UID, {name}": (film(12, SOPInstanceUID=uid), 0xC100) for name, uid in HOSTILE_UIDS.items()},
    **{f"Study Instance UID, {name}": (film(13, StudyInstanceUID=uid), 0xC100) for name, uid in HOSTILE_UIDS.items()},
    **{
        f"command set only, {name}": (part10(data_set(elements_of(14)), DX, uid), 0xC100)
        for name, uid in HOSTILE_UIDS.items()
        if uid.isascii()
    },
}

PHOTOGRAPH = {
    "SOPClassUID": SECONDARY_CAPTURE,
    "Modality": "XC",
    "BodyPartExamined": None,
    "ViewPosition": None,
    "SamplesPerPixel": 3,
    "PhotometricInterpretation": "RGB",
    "PixelData": bytes(3 * SIDE * SIDE),
}
NOT_ASSESSED: dict[str, tuple[bytes, str]] = {
    "cut off in the pixel data": (film(101, PixelData=bytes(SIDE * SIDE // 2)), "cannot_decode"),
    "pixel data shorter than stated": (
        part10(data_set(elements_of(102, PixelData=None)) + element("PixelData", bytes(4096))[:2000], DX, sop_uid(102)),
        "cannot_decode",
    ),
    "Rows = 0": (film(103, Rows=0), "cannot_decode"),
    "no pixel data": (film(104, PixelData=None), "no_image"),
    "colour photograph": (film(105, **PHOTOGRAPH), "not_a_chest_film"),
    "colour picture called a film": (film(106, **PHOTOGRAPH | {"SOPClassUID": DX, "Modality": "DX"}), "not_grayscale"),
    "lateral view only": (film(107, ViewPosition="LL"), "lateral_view"),
    "a child": (film(108, PatientAge="007Y"), "paediatric"),
    "a hand": (film(109, BodyPartExamined="HAND"), "not_a_chest_film"),
    "all one value": (film(110, PixelData=bytes(SIDE * SIDE)), "numeric"),
    "native pixels called JPEG-LS": (part10(data_set(elements_of(111)), DX, sop_uid(111), JPEG_LS), "cannot_decode"),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for every bad film: what one of them does to it, the next would notice."""
    home = tmp_path_factory.mktemp("bad") / "home"
    use_network(home)
    with running(Service(home, settings={"dimse__max_object_bytes": str(LIMIT)})) as service:
        yield service
        service.verify()
        judged = service.rows("SELECT study_instance_uid AS uid FROM study WHERE level IN ('flagged', 'not_flagged')")
        assert {row["uid"] for row in judged} <= GOOD, "no bad film is judged"


FIRST = study_uid(500)
GOOD = {study_uid(200), study_uid(201), FIRST}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")  # pydicom, on our own side of the wire
@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_its_status(service: Service, case: str) -> None:
    content, status = REFUSED[case]
    before = service.rows("SELECT count(*) AS n FROM instance")[0]["n"]
    with modality(service.dimse_port) as sender:
        assert f"{sender.store(content):04X}" == f"{status:04X}"
        assert sender.echo() == 0x0000, "the association lives"
    assert service.rows("SELECT count(*) AS n FROM instance")[0]["n"] == before
    assert not list((service.home / "instances" / "incoming").glob("*.part"))


@pytest.mark.parametrize("case", NOT_ASSESSED)
def test_kept_listed_and_not_assessed(service: Service, case: str) -> None:
    content, reason = NOT_ASSESSED[case]
    uid = study_uid(101 + list(NOT_ASSESSED).index(case))
    contexts = (*CONTEXTS, (DX, JPEG_LS))
    with modality(service.dimse_port, contexts=contexts) as sender:
        assert sender.store(content) == 0x0000
    row = until(
        lambda: next((row for row in service.worklist() if row["study_instance_uid"] == uid and row["reason"]), None),
        SETTLED_WITHIN,
        "a reason",
    )
    assert (row["level"], row["reason"], row["probability"]) == ("not_assessed", reason, None)


def test_explicit_sent_as_implicit_is_read_for_what_it_is(service: Service) -> None:
    pixels = elements_of(200)["PixelData"]
    with modality(service.dimse_port, contexts=((DX, IMPLICIT), (DX, EXPLICIT))) as sender:
        assert sender.store(part10(data_set(elements_of(200)), DX, sop_uid(200), IMPLICIT)) == 0x0000
        assert sender.store(film(201, PixelData=pixels)) == 0x0000

    def probabilities() -> list[float]:
        wanted = (study_uid(200), study_uid(201))
        return [row["probability"] for row in service.worklist() if row["study_instance_uid"] in wanted and row["probability"]]

    until(lambda: len(probabilities()) == 2, SETTLED_WITHIN, "both assessed")
    assert len(set(probabilities())) == 1


def test_same_uid_with_other_bytes_keeps_the_first(service: Service) -> None:
    with modality(service.dimse_port) as sender:
        assert sender.store(film(500)) == 0x0000
        assert sender.store(film(500, PatientID="P666")) == 0xA900
    rows = service.rows("SELECT digest FROM instance WHERE sop_instance_uid = ?", sop_uid(500))
    assert [row["digest"] for row in rows] == [digest_of(film(500))]
    assert service.rows("SELECT 1 FROM quarantined WHERE digest = ?", digest_of(film(500, PatientID="P666")))


def test_another_patient_in_the_same_study_is_set_aside(service: Service) -> None:
    with modality(service.dimse_port) as sender:
        assert sender.store(film(500)) == 0x0000
        assert sender.store(film(500, 2, PatientID="P667")) == 0xA900
    assert service.rows("SELECT patient_id FROM study WHERE study_instance_uid = ?", FIRST)[0]["patient_id"] == "P500"

    (study,) = service.rows("SELECT level, reason, doubt FROM study WHERE study_instance_uid = ?", FIRST)
    assert study["doubt"] == "identity_conflict", "marked before the answer"
    assert (study["level"], study["reason"]) in (("pending", None), ("flagged", None), ("not_assessed", "identity_conflict"))
    told = service.rows("SELECT details FROM audit WHERE action = 'conflict' AND subject = ?", FIRST)
    assert any(digest_of(film(500, 2, PatientID="P667")) in record["details"] for record in told)
    assert not any("P667" in record["details"] for record in told)


def test_same_bytes_under_another_transfer_syntax_leave_the_first_file_alone(service: Service) -> None:
    digest = digest_of(film(500))
    kept = service.home / "instances" / "objects" / digest[:2] / f"{digest}.dcm"
    with modality(service.dimse_port, contexts=(*CONTEXTS, (DX, JPEG_LS))) as sender:
        assert sender.store(film(500)) == 0x0000
        before = kept.read_bytes()
        sender.store(part10(data_set(elements_of(500)), DX, sop_uid(500), JPEG_LS))
    assert kept.read_bytes() == before


@pytest.mark.parametrize(
    ("uid", "answer"),
    [
        (b"1.2\\1.3", 0xC100),
        (b"1." * 32 + b"1", 0xC100),
        (b"", 0xC101),
    ],
)
def test_uids_that_a_toolkit_would_not_send(service: Service, uid: bytes, answer: int | str) -> None:
    assert raw.store(service.dimse_port, uid, data_set(elements_of(14)), seconds=3) == answer
    with modality(service.dimse_port) as sender:
        assert sender.echo() == 0x0000, "the listener lives"


def test_a_page_named_dcm_is_named_by_send(service: Service, tmp_path: Path) -> None:
    (tmp_path / "page.dcm").write_text("<html>no film</html>")
    (tmp_path / "empty.dcm").write_bytes(b"")
    done = service.triage("send", str(tmp_path), "--to", f"TRIAGE@127.0.0.1:{service.dimse_port}")
    assert done.returncode == 1
    assert "page.dcm" in done.stderr
    assert "empty.dcm" in done.stderr
    assert "0 of 2 stored" in done.stdout


def test_a_disk_below_its_floor_refuses_and_says_so(tmp_path: Path) -> None:
    service = Service(tmp_path / "full", ("intake", "web"), settings={"storage__floor_bytes": str(1 << 60)}).start()
    try:
        with modality(service.dimse_port) as sender:
            assert sender.store(film(600)) == 0xA700
            assert sender.comment(film(600)) == "Refused: out of resources, storage"
            assert sender.echo() == 0x0000
        assert any("no room above the floor" in reason for reason in service.readyz()["reasons"])
        assert "Storage is full" in service.get("/")[1].decode()
        assert service.rows("SELECT 1 FROM instance") == []
        service.stop()
    finally:
        service.kill()
