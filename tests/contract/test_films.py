"""What a Films promises, asked of both; and that both say the same of every film."""

import math
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from tests.films import film, part10
from triage.domain.reason import Reason
from triage.imaging.eligibility import Intended
from triage.imaging.prepare import Prepared
from triage.imaging.pyramid import LARGE
from triage.imaging.spec import ALGORITHMS, PreprocessingSpec
from triage.sandbox.films import SandboxFilms
from triage.sandbox.memory import MemoryFilms
from triage.services.ports import Films

ROOT = Path(__file__).resolve().parents[2]
DICOM = ROOT.parent / "shared" / "data" / "dicom"
SPEC = PreprocessingSpec(height=48, width=32)
INTENDED = Intended(16, date(2026, 11, 30))
PATIENCE = 600.0


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxFilms]:
    sandbox = SandboxFilms()
    yield sandbox
    sandbox.close()


@pytest.fixture(params=["memory", "sandbox"])
def films(request: pytest.FixtureRequest, sandbox: SandboxFilms) -> Films:
    return MemoryFilms() if request.param == "memory" else sandbox


def prepared(films: Films, data: bytes) -> Prepared:
    return films.prepare(BytesIO(data), SPEC, INTENDED, PATIENCE)


def test_a_film_is_a_tensor(films: Films) -> None:
    made = prepared(films, film(bright=0.25))
    assert (made.by_tags, made.by_pixels) == (None, None)
    assert made.tensor is not None
    assert (made.tensor.shape, made.tensor.dtype) == ((48, 32, 1), np.float32)
    assert float(made.tensor.mean()) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize(
    ("elements", "by_tags", "by_pixels"),
    [
        ({"view": "LL"}, Reason.LATERAL_VIEW, None),
        ({"age": "009Y"}, Reason.PAEDIATRIC, None),
        ({"age": None, "PatientBirthDate": "20200101", "StudyDate": ""}, Reason.PAEDIATRIC, None),
        ({"body_part": "HAND"}, Reason.NOT_A_CHEST_FILM, None),
        ({"PixelData": None}, None, Reason.NO_IMAGE),
        ({"bright": 0.0}, None, Reason.NUMERIC),
        ({"PixelData": b"\0\1"}, None, Reason.CANNOT_DECODE),
        ({"rows": 31}, None, Reason.DOUBTFUL_IMAGE),
        ({"columns": 31}, None, Reason.DOUBTFUL_IMAGE),
        ({"columns": 257}, None, Reason.DOUBTFUL_IMAGE),
        ({"columns": 256}, None, None),
        ({"NumberOfFrames": 2}, Reason.MULTI_FRAME, Reason.MULTI_FRAME),
        ({"body_part": "HAND", "PixelData": b"\0\1"}, Reason.NOT_A_CHEST_FILM, Reason.CANNOT_DECODE),
    ],
)
def test_tags_and_pixels_each_have_their_say(
    films: Films, elements: dict[str, Any], by_tags: Reason | None, by_pixels: Reason | None
) -> None:
    made = prepared(films, film(**elements))
    assert (made.by_tags, made.by_pixels) == (by_tags, by_pixels)
    assert (made.tensor is None) is (by_pixels is not None)


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"<html>", film()[:-100]], ids=["empty", "zeros", "page", "cut off"])
def test_what_is_no_film_says_so(films: Films, data: bytes) -> None:
    assert prepared(films, data).by_pixels is Reason.CANNOT_DECODE


def test_a_film_on_disk_is_read_from_its_first_byte(films: Films, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(film(bright=0.5))
    with (tmp_path / "film.dcm").open("rb") as stream:
        first = films.prepare(stream, SPEC, INTENDED, PATIENCE)
    assert first.tensor is not None
    assert np.array_equal(first.tensor, prepared(films, film(bright=0.5)).tensor)  # type: ignore[arg-type]


SIDE = math.isqrt(LARGE) + 2


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_film_far_larger_than_the_tensor_is_decoded_by_its_pyramid(films: Films, algorithm: str) -> None:
    pixels = np.add.outer(np.arange(SIDE) % 4096, np.arange(SIDE) % 7).astype(np.uint16)
    coded = bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="J2K", reversible=True, bitspersample=12))
    dataset = dcmread(BytesIO(film(rows=SIDE, columns=SIDE)))
    dataset.PixelData = encapsulate([coded])
    dataset["PixelData"].VR = "OB"
    data = part10(dataset, dataset.SOPClassUID, dataset.SOPInstanceUID, JPEG2000Lossless)
    made = films.prepare(BytesIO(data), PreprocessingSpec(algorithm=algorithm, height=32, width=32), INTENDED, PATIENCE)
    assert (made.by_tags, made.by_pixels) == (None, None)


def same(one: Prepared, other: Prepared) -> bool:
    if (one.by_tags, one.by_pixels) != (other.by_tags, other.by_pixels):
        return False
    return one.tensor is None or (other.tensor is not None and one.tensor.tobytes() == other.tensor.tobytes())


@pytest.mark.parametrize("folder", [ROOT / "sample_dicom", DICOM], ids=["samples", "real"])
def test_both_say_the_same_of_every_real_film(sandbox: SandboxFilms, folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip("no real DICOM files here (../shared/data/dicom)")
    different = []
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith("tibia")):  # the same syntaxes as hip
        with path.open("rb") as stream, path.open("rb") as again:
            one, other = (f.prepare(s, SPEC, INTENDED, PATIENCE) for f, s in ((sandbox, stream), (MemoryFilms(), again)))
        if not same(one, other):
            different.append(path.name)
    assert different == []


CHARACTER_SETS = (
    "ISO_IR 100", "ISO_IR 101", "ISO_IR 144", "ISO_IR 127", "ISO_IR 166", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK",
    "\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "\\ISO 2022 IR 159", "\\ISO 2022 IR 58",
)  # fmt: skip


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_text_means_the_same_in_every_character_set(sandbox: SandboxFilms, character_set: str) -> None:
    animal = film(SpecificCharacterSet=character_set.split("\\"), PatientSpeciesDescription="Canis lupus familiaris")
    for films in (sandbox, MemoryFilms()):
        assert prepared(films, animal).by_tags is Reason.NOT_A_CHEST_FILM


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 9000), st.binary(max_size=8)), min_size=1, max_size=6))
def test_both_say_the_same_of_damaged_films(sandbox: SandboxFilms, cuts: list[tuple[int, bytes]]) -> None:
    data = bytearray(film(rows=32, columns=32))
    for at, put in cuts:
        data[at % len(data) : at % len(data) + len(put)] = put
    assert same(prepared(sandbox, bytes(data)), prepared(MemoryFilms(), bytes(data)))
