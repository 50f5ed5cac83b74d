"""The packaged gate on the sample films, spoiled in each way, and on drawn pictures. The full table: ``training gate``."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from sklearn.datasets import load_sample_images

from tests.unit.inference.gates import packaged_gate
from tests.unit.services.world import World
from training.gate import pictures
from training.gate.kinds import ACCEPTED, REFUSED, Kind
from triage.domain.assessment import Assessment, NotAssessed, Outcome
from triage.domain.level import Level
from triage.domain.opinion import Word
from triage.domain.reason import Reason
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import open_bundle
from triage.inference.gate import Gate
from triage.inference.load import load_classifier
from triage.inference.registry import PACKAGED
from triage.services.assess import assess

pytestmark = pytest.mark.training

ROOT = Path(__file__).resolve().parents[2]
DICOM = ROOT.parent / "shared" / "data" / "dicom"
FILMS = 8
MUST_PASS = ("as it is", "tilted by up to 5°", "cut by 5 % a side")


@pytest.fixture(scope="module")
def gate() -> Gate:
    return packaged_gate()


@pytest.fixture(scope="module")
def spec() -> PreprocessingSpec:
    return open_bundle(PACKAGED / "recommended").spec


@pytest.fixture(scope="module")
def films(spec: PreprocessingSpec) -> list[NDArray[np.uint8]]:
    """Sample films as grey pixels of 256 × 256."""
    paths = [path for path in sorted((ROOT / "sample_dicom").glob("*.dcm")) if path.name != "film_09.dcm"]  # it is cut off
    large = PreprocessingSpec(height=256, width=256)
    return [np.round(preprocess(dcmread(path), large)[:, :, 0] * 255).astype(np.uint8) for path in paths[:FILMS]]


def words(gate: Gate, films: list[NDArray[np.uint8]], spec: PreprocessingSpec, kind: Kind) -> list[Word]:
    rng = np.random.default_rng(7)
    made = [pictures.tensor(kind.make(film, rng), spec) for film in films]
    return [gate.opinion(tensor).word for tensor in made if tensor is not None]


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.name)
def test_no_more_than_one_of_a_kind_passes(
    gate: Gate, films: list[NDArray[np.uint8]], spec: PreprocessingSpec, kind: Kind
) -> None:
    said = words(gate, films, spec, kind)
    assert said.count(Word.CHEST) <= 1, said


@pytest.mark.parametrize("kind", [kind for kind in ACCEPTED if kind.name in MUST_PASS], ids=lambda kind: kind.name)
def test_upright_films_pass(gate: Gate, films: list[NDArray[np.uint8]], spec: PreprocessingSpec, kind: Kind) -> None:
    said = words(gate, films, spec, kind)
    assert said.count(Word.CHEST) >= FILMS - 1, said


def test_photographs_do_not_pass(gate: Gate, spec: PreprocessingSpec) -> None:
    for picture in load_sample_images().images:
        tensor = pictures.tensor(picture.mean(axis=2).astype(np.uint8), spec)
        assert tensor is not None
        assert gate.opinion(tensor).word is not Word.CHEST


@pytest.mark.skipif(not DICOM.is_dir(), reason="no ../shared/data/dicom")
@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("chest_pa_cr_jpeg_baseline", True),
        ("chest_pa_cr_monochrome1_15bit_j2k_lossy", True),
        ("chest_pa_wrong_polarity_tag", False),
        ("animal_lateral_dx_monochrome1", False),
        ("cspine_cr_1_6154", False),
        ("hip_cr_uncompressed", False),
        ("tibia_cr_monochrome1_uncompressed", False),
        ("pet_jpeg_lossless", False),
    ],
)
def test_real_files(gate: Gate, spec: PreprocessingSpec, name: str, passes: bool) -> None:
    word = gate.opinion(preprocess(dcmread(DICOM / f"{name}.dcm"), spec)).word
    assert (word is Word.CHEST) is passes
    if name == "chest_pa_wrong_polarity_tag":
        assert word is Word.INVERTED


def assessed(content: bytes) -> Outcome:
    """What the worker says of a film, by the packaged bundle."""
    world = World()
    return assess(
        "1.2.3",
        [world.store(content)],
        archive=world.archive,
        films=world.films,
        classifier=load_classifier(PACKAGED / "recommended"),
        min_age_years=16,
        clock=world.clock,
    )


@pytest.mark.parametrize(
    "path", [ROOT / "sample_dicom" / "film_13.dcm", DICOM / "chest_pa_wrong_polarity_tag.dcm"], ids=lambda path: path.stem
)
def test_a_wrong_polarity_tag_is_never_assessed_as_is(gate: Gate, path: Path) -> None:
    if not path.is_file():
        pytest.skip("no ../shared/data/dicom")
    dataset = dcmread(path)
    if path.parent != DICOM:
        assert isinstance(assessed(path.read_bytes()), Assessment)
        dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    buffer = BytesIO()
    dataset.save_as(buffer)
    outcome = assessed(buffer.getvalue())
    assert isinstance(outcome, NotAssessed)
    assert (outcome.level, outcome.reason) == (Level.NOT_ASSESSED, Reason.POLARITY_CONFLICT)
    assert "black and white exchanged" in outcome.excuses[0].detail
