"""The packaged gate on the sample films, spoiled in each way, and on drawn pictures. The full table: ``training gate``."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from sklearn.datasets import load_sample_images

from tests.unit.inference.gates import packaged_gate
from training.gate import pictures
from training.gate.kinds import ACCEPTED, REFUSED, Kind
from triage.domain.opinion import Word
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import open_bundle
from triage.inference.gate import Gate
from triage.inference.registry import PACKAGED

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
