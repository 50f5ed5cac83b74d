"""WADO-RS: headers, whole objects, frames and pictures of films; what is asked for wrongly is refused with a reason."""

import json
from collections.abc import Iterator
from datetime import timedelta
from email.parser import BytesParser
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from tests.encoders import encode
from tests.films import DX, data_set_bytes, film, part10, pixels, split
from tests.unit.web.conftest import NOW, Client
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import Role
from triage.imaging.metadata import INLINE_BYTES
from triage.web.app import create_app
from triage.web.dicomweb import metadata
from triage.web.identity import name_of

JPEG_LS, JPEG_2000, EXPLICIT = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.1"
STUDY = "/dicomweb/studies/1.2.3"
ONE = f"{STUDY}/series/1.2.3.1/instances/1.2.3.1.1"
CODED = f"{STUDY}/series/1.2.3.1/instances/1.2.3.1.2"
DAMAGED = f"{STUDY}/series/1.2.3.9/instances/1.2.3.9.1"
SHADES = pixels(40, 30, 0.25)
BODIES: dict[str, bytes] = {
    "raw": film(
        rows=40,
        columns=30,
        WindowCenter=2000,
        WindowWidth=1001,
        ImagerPixelSpacing=[0.139, 0.139],
        RescaleSlope="1",
        OtherPatientNames="Ødegård^Åse",
        SpecificCharacterSet="ISO_IR 100",
        ICCProfile=bytes(2 * INLINE_BYTES),
    ),
}


def coded(syntax: str, uid: str) -> bytes:
    """The same picture, compressed."""
    dataset = dcmread(BytesIO(film(rows=40, columns=30, sop_uid=uid)))
    dataset.PixelData = encode(SHADES, 12, syntax)
    dataset["PixelData"].VR = "OB"
    plain = Dataset()
    plain.update(dataset)
    return part10(plain, DX, uid, syntax)


def furnished() -> Room:
    """A film as cells, one compressed, and a damaged one in a series of its own."""
    room = Room()
    room.store(BODIES["raw"], NOW - timedelta(minutes=9))
    room.store(coded(JPEG_LS, "1.2.3.1.2"), NOW - timedelta(minutes=8))
    room.store(film(sop_uid="1.2.3.9.1", series_uid="1.2.3.9", PixelData=b"\0\0"), NOW - timedelta(minutes=7))
    return room


class Viewer:
    """A radiologist's viewer, and what it looks at; one process opens films for all tests of this file."""

    def __init__(self) -> None:
        self.door = SignedIn(role=Role.RADIOLOGIST)
        self.show(furnished())

    def films(self, digest: str) -> Any:
        return self.room.films(digest)

    def show(self, room: Room, **options: Any) -> "Viewer":
        old = getattr(self, "app", None)
        self.room, self.door.role = room, Role.RADIOLOGIST
        given = {"films": self.films, "authenticator": self.door, "who": name_of, **options}
        self.app = create_app(room.database, clock=lambda: NOW, free_bytes=lambda: 10**9, **given)
        self.get = Client(self.app).get
        if old is not None:
            for name in ("opened", "previews"):
                mine, theirs = getattr(self.app.state, name), getattr(old.state, name)
                for inner in ("_child", "_darkroom"):
                    if hasattr(mine, inner):
                        setattr(mine, inner, getattr(theirs, inner))
        return self


@pytest.fixture(scope="module")
def viewers() -> Iterator[Viewer]:
    viewer = Viewer()
    yield viewer
    viewer.app.state.opened.close()
    viewer.app.state.previews.close()


@pytest.fixture
def client(viewers: Viewer) -> Viewer:
    return viewers.show(furnished())


def parts(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """Content-Type and content of each part, as the standard library's mail parser sees them."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    payload = BytesParser().parsebytes(head + answer.content).get_payload()
    assert isinstance(payload, list)
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    raw = answer.content.split(b"--" + boundary)[1:-1]
    return [(one["content-type"], data.partition(b"\r\n\r\n")[2][:-2]) for one, data in zip(payload, raw, strict=True)]


def test_metadata_hold_what_a_viewer_needs_and_no_pixels(client: Viewer) -> None:
    answer = client.get(f"{ONE}/metadata", headers={"accept": "application/dicom+json"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    (told,) = answer.json()
    read = Dataset.from_json({tag: one for tag, one in told.items() if "BulkDataURI" not in one})
    assert (read.Rows, read.Columns, read.BitsAllocated, read.BitsStored, read.HighBit) == (40, 30, 16, 12, 11)
    assert (read.PhotometricInterpretation, read.SamplesPerPixel, read.PixelRepresentation) == ("MONOCHROME2", 1, 0)
    assert (read.WindowCenter, read.WindowWidth, read.RescaleSlope) == (2000, 1001, 1)
    assert list(read.ImagerPixelSpacing) == [0.139, 0.139]
    assert read.OtherPatientNames == "Ødegård^Åse"
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert told["00083002"]["Value"] == [EXPLICIT]
    assert "7FE00010" not in told
    assert told["00282000"] == {"vr": "OB", "BulkDataURI": f"{ONE}/bulkdata/00282000"}, "relative, never from the Host header"
    value = client.get(told["00282000"]["BulkDataURI"])
    assert parts(value) == [("application/octet-stream", bytes(2 * INLINE_BYTES))]


def test_damaged_bytes_do_not_go_out_as_what_was_received(client: Viewer) -> None:
    room = client.room
    one = room.store(film(sop_uid="1.2.3.1.8", rows=8, columns=8), NOW)
    room.archive.objects[one.digest] = room.archive.objects[one.digest][:-1] + b"\xff"
    assert client.get(f"{STUDY}/series/1.2.3.1/instances/1.2.3.1.8").status_code == 404
    study = client.get(STUDY)
    assert (study.status_code, "damaged" in study.headers["warning"], len(parts(study))) == (206, True, 3)


def test_headers_that_are_too_large_together_are_refused_and_one_alone_is_told(
    client: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "MOST_BYTES", len(client.get(f"{ONE}/metadata").content) + 100)
    answer = client.get(f"{STUDY}/metadata")
    assert (answer.status_code, "too large" in answer.json()["detail"]) == (413, True)
    assert client.get(f"{ONE}/metadata").status_code == 200


def test_metadata_of_study_and_series_name_every_film_even_one_that_cannot_be_read(client: Viewer) -> None:
    room = client.room
    broken = room.store(film(sop_uid="1.2.3.1.7"), NOW)
    room.archive.objects[broken.digest] = b"not a film at all"
    study = client.get(f"{STUDY}/metadata").json()
    assert [one["00080018"]["Value"][0] for one in study] == ["1.2.3.1.1", "1.2.3.1.2", "1.2.3.9.1", "1.2.3.1.7"]
    assert study[3]["0020000D"]["Value"] == ["1.2.3"]
    series = client.get(f"{STUDY}/series/1.2.3.9/metadata").json()
    assert [one["00080018"]["Value"][0] for one in series] == ["1.2.3.9.1"]


def test_addresses_in_answers_are_the_configured_ones(client: Viewer) -> None:
    client.show(client.room, public_url="https://triage.example")
    (told,) = client.get(f"{ONE}/metadata").json()
    assert told["00282000"]["BulkDataURI"] == f"https://triage.example{ONE}/bulkdata/00282000"


def test_whole_objects_are_the_stored_bytes(client: Viewer) -> None:
    room = client.room
    answer = client.get(ONE, headers={"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'})
    assert parts(answer) == [(f"application/dicom; transfer-syntax={EXPLICIT}", BODIES["raw"])]
    single = client.get(ONE, headers={"accept": "application/dicom"})
    assert single.content == BODIES["raw"]
    study = parts(client.get(STUDY))
    assert [data for _, data in study] == list(room.archive.objects.values())
    assert len(parts(client.get(f"{STUDY}/series/1.2.3.1"))) == 2
    for accept, status in [
        (f"multipart/related; type=application/dicom; transfer-syntax={JPEG_2000}", 406),
        (f"multipart/related; type=application/dicom; transfer-syntax={EXPLICIT}", 200),
        ("application/dicom+xml", 406),
    ]:
        assert client.get(ONE, headers={"accept": accept}).status_code == status


def test_a_film_that_is_missing_on_the_disk_is_said_to_be(client: Viewer) -> None:
    room = client.room
    first = next(iter(room.archive.objects))
    del room.archive.objects[first]
    answer = client.get(STUDY)
    assert (answer.status_code, len(parts(answer))) == (206, 2)
    assert answer.headers["warning"] == '299 triage "1 films are missing or damaged"'
    assert client.get(ONE).status_code == 404
    assert "triage verify" in client.get(ONE).json()["detail"]


def test_frames_are_cells_or_codestreams(client: Viewer) -> None:
    ((kind, data),) = parts(client.get(f"{ONE}/frames/1"))
    assert (kind, data) == (f"application/octet-stream; transfer-syntax={EXPLICIT}", SHADES.tobytes())
    ((kind, data),) = parts(client.get(f"{CODED}/frames/1"))
    assert (kind, data) == (f"application/octet-stream; transfer-syntax={EXPLICIT}", SHADES.tobytes()), (
        "decoded, for nobody said more"
    )
    for accept, kind in [
        ("multipart/related; type=application/octet-stream; transfer-syntax=*", "application/octet-stream"),
        ('multipart/related; type="image/jls"', "image/jls"),
    ]:
        ((told, data),) = parts(client.get(f"{CODED}/frames/1", headers={"accept": accept}))
        assert told == f"{kind}; transfer-syntax={JPEG_LS}"
        assert data == next(generate_frames(encode(SHADES, 12, JPEG_LS), number_of_frames=1))
    single = client.get(f"{ONE}/frames/1", headers={"accept": "application/octet-stream"})
    assert single.content == SHADES.tobytes()
    assert client.get(f"{ONE}/frames/1", headers={"accept": "image/jpeg"}).status_code == 406


def test_several_frames_come_in_the_order_they_were_asked_for(client: Viewer) -> None:
    room = Room()
    many = np.arange(3 * 4 * 5, dtype="<u2").reshape(3, 4, 5)
    room.store(film(rows=4, columns=5, NumberOfFrames="3", PixelData=many.tobytes()), NOW)
    client.show(room)
    assert [data for _, data in parts(client.get(f"{ONE}/frames/3,1"))] == [many[2].tobytes(), many[0].tobytes()]
    assert client.get(f"{ONE}/frames/4").status_code == 404


def test_signed_and_shifted_cells_are_decoded_as_their_header_says(client: Viewer) -> None:
    room = Room()
    dataset = dcmread(BytesIO(film(rows=40, columns=30, HighBit=13, BitsStored=12)))
    dataset.PixelData = encode((SHADES << 2).astype("<u2"), 16, JPEG_LS)
    dataset["PixelData"].VR = "OB"
    plain = Dataset()
    plain.update(dataset)
    room.store(part10(plain, DX, "1.2.3.1.1", JPEG_LS), NOW)
    client.show(room)
    ((_, data),) = parts(client.get(f"{ONE}/frames/1"))
    assert (np.frombuffer(data, "<u2").reshape(40, 30) >> 2 == SHADES).all()


def test_pictures_say_that_they_are_not_for_diagnosis(client: Viewer) -> None:
    room = Room()
    room.store(film(rows=1200, columns=900, WindowCenter=2000, WindowWidth=1001), NOW)
    client.show(room)
    answer = client.get(f"{ONE}/rendered")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = Image.open(BytesIO(answer.content))
    assert picture.size == (768, 1024 + 20), "the strip lies below the film and hides nothing of it"
    assert np.asarray(picture)[-20:].max() > 200, "with words on it"
    png = client.get(f"{ONE}/rendered?viewport=300,400", headers={"accept": "image/png"})
    shown = Image.open(BytesIO(png.content))
    assert shown.format == "PNG"
    assert shown.width <= 300
    assert shown.height <= 400
    small = Image.open(BytesIO(client.get(f"{STUDY}/thumbnail").content))
    assert max(small.size) == 200
    assert client.get(f"{STUDY}/series/1.2.3.1/thumbnail").content == client.get(f"{ONE}/thumbnail").content
    assert client.get(f"{ONE}/frames/1/rendered").content == answer.content
    assert client.get(f"{ONE}/frames/2/rendered").status_code == 404


@pytest.mark.parametrize(
    ("window", "above", "below"), [("2048,4096,linear", 0, 255), ("0,1,linear", 255, 255), ("9000,2,linear-exact", 0, 0)]
)
def test_the_window_is_the_one_asked_for(client: Viewer, window: str, above: int, below: int) -> None:
    answer = client.get(f"{ONE}/rendered?window={window}", headers={"accept": "image/png"})
    shades = np.asarray(Image.open(BytesIO(answer.content)))
    assert abs(int(shades[0, 0]) - above) <= 1
    assert abs(int(shades[39, 0]) - below) <= 1


WRONG = [
    ("/dicomweb/studies/1.2.4/metadata", 404),
    (f"{STUDY}/series/1.2.4/metadata", 404),
    (f"{STUDY}/series/1.2.3.9/instances/1.2.3.1.1/metadata", 404),
    ("/dicomweb/studies/01.2/metadata", 400),
    ("/dicomweb/studies/1.2.3%0d%0aX-Injected:%201/metadata", 400),
    ("/dicomweb/studies/..%2f..%2fetc%2fpasswd/metadata", 404),
    (f"/dicomweb/studies/{'1.' * 40}1/metadata", 400),
    (f"{ONE}/frames/0", 400),
    (f"{ONE}/frames/1,1", 400),
    (f"{ONE}/frames/-1", 400),
    (f"{ONE}/frames/99999999999999999999", 400),
    (f"{ONE}/frames/1;drop", 400),
    (f"{ONE}/frames/２", 400),
    (f"{ONE}/frames/2", 404),
    (f"{ONE}/frames/{','.join(map(str, range(1, 103)))}", 400),
    (f"{ONE}/bulkdata/zz", 400),
    (f"{ONE}/bulkdata/00100010", 404),
    (f"{ONE}/bulkdata/7FE00010", 404),
    (f"{ONE}/bulkdata/FFFFFFFF", 404),
    (f"{ONE}/rendered?viewport=0,0", 400),
    (f"{ONE}/rendered?viewport=99999,99999", 400),
    (f"{ONE}/rendered?window=1,0,linear", 400),
    (f"{ONE}/rendered?window=nan,inf,linear", 400),
    (f"{ONE}/rendered?window=1,2", 400),
    (f"{ONE}/rendered?quality=101", 400),
    (f"{ONE}/rendered?quality=%00", 400),
    (f"{DAMAGED}/frames/1", 406),
    (f"{DAMAGED}/rendered", 406),
    (f"{DAMAGED}/thumbnail", 406),
]


def test_what_cannot_be_answered_says_why_in_a_line(client: Viewer) -> None:
    for path, status in WRONG:
        answer = client.get(path)
        assert answer.status_code == status, (path, answer.text)
        detail = answer.json()["detail"]
        assert detail
        assert "\n" not in detail
        assert "x-injected" not in answer.headers
        assert "1.2.4" not in detail, "nothing of the request is repeated"


def test_roles_that_see_no_full_frames_get_headers_and_pictures_only(client: Viewer) -> None:
    client.door.role = Role.VIEWER
    assert client.get(f"{ONE}/metadata").status_code == 200
    assert client.get(f"{ONE}/thumbnail").status_code == 200
    for path in (STUDY, ONE, f"{ONE}/frames/1", f"{ONE}/bulkdata/00282000"):
        assert client.get(path).status_code == 403, path


def test_a_look_is_audited_once_not_by_the_request(client: Viewer) -> None:
    room = client.room
    for path in (f"{STUDY}/metadata", f"{ONE}/thumbnail", f"{ONE}/rendered"):
        assert client.get(path).status_code == 200
    for _ in range(3):
        assert client.get(f"{ONE}/frames/1").status_code == 200
    assert client.get(STUDY).status_code == 200
    with room.database.read() as tx:
        noted = [(one.entry.action.value, one.entry.subject, json.loads(one.details)) for one in tx.audit()]
    assert noted == [("view", "1.2.3", {}), ("view", "1.2.3", {"shown": "full frame"})]


def test_what_a_child_says_of_a_header_is_believed_only_in_its_shape() -> None:
    from triage.web.dicomweb.json_model import model_of

    good: dict[str, Any] = {"00080020": {"vr": "DA", "Value": ["20261123"]}}
    assert model_of(json.dumps(good).encode()) == good
    for bad in (
        [],
        {"0008002": {"vr": "DA"}},
        {"00080020": []},
        {"00080020": {"vr": 7}},
        {"00080020": {"vr": "DA", "Value": "x"}},
        {"00080020": {"vr": "OB", "BulkDataURI": "https://elsewhere.example/"}},
        {"00080020": {"vr": "OB", "BulkDataURI": "00080021"}},
        {"00080020": {"vr": "DA", "onclick": "x"}},
    ):
        with pytest.raises(ValueError, match=r".+"):
            model_of(json.dumps(bad).encode())


def test_what_padding_hides_is_black_in_a_picture_of_either_polarity(client: Viewer) -> None:
    for polarity in ("MONOCHROME1", "MONOCHROME2"):
        room = Room()
        shades = np.tile(np.arange(100, 3100, 100, dtype="<u2"), (40, 1))
        shades[:, :5] = 0
        padded = film(
            rows=40, columns=30, PhotometricInterpretation=polarity, PixelPaddingValue=0, PixelData=shades.tobytes()
        )  # fmt: skip
        room.store(padded, NOW)
        client.show(room)
        answer = client.get(f"{ONE}/rendered", headers={"accept": "image/png"})
        shown = np.asarray(Image.open(BytesIO(answer.content)))
        assert (shown[:, :5] == 0).all(), polarity
        assert shown[:, 6:].max() > 200


def test_a_header_goes_out_under_the_identifiers_of_the_index_whatever_it_says_of_itself() -> None:
    from triage.web.dicomweb.json_model import of_instance

    one = furnished().store(film(sop_uid="1.2.3.1.8"), NOW)
    lie = {"0020000D": {"vr": "UI", "Value": ["9.9"]}, "00080018": {"vr": "UI", "Value": ["9.9"]}}
    told = of_instance(lie, one, "/x")
    assert (told["0020000D"]["Value"], told["00080018"]["Value"]) == (["1.2.3"], ["1.2.3.1.8"])


def test_every_way_to_look_is_audited(client: Viewer) -> None:
    ways = ("/metadata", "/thumbnail", "/rendered", "", "/frames/1", "/frames/1/rendered", "/bulkdata/00282000")
    for path in ways:
        client.show(furnished())
        assert client.get(f"{ONE}{path}").status_code == 200
        with client.room.database.read() as tx:
            assert [(one.entry.action.value, one.entry.subject) for one in tx.audit()] == [("view", "1.2.3")], path
    client.show(furnished())
    assert client.get("/dicomweb/studies").status_code == 200
    with client.room.database.read() as tx:
        assert [(one.entry.action.value, one.entry.subject) for one in tx.audit()] == [("export", "worklist")]


def test_split_films_are_what_the_archive_names_by_their_digest() -> None:
    assert split(BODIES["raw"])[1] == data_set_bytes(BODIES["raw"])
