"""What a bundle's image gate says of real pictures that it never learned from: ``python -m tests.benchmark.outsiders``.

Photographs and pages of text are those that libraries bring along; DICOM files are pydicom's and, where they are at hand, the
real ones of ``../shared/data``. Prints a table, and the names of what passed.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pydicom.data
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread
from sklearn.datasets import load_sample_images

from training.gate import pictures
from training.statistics import proportion
from triage.domain.opinion import Word
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec
from triage.inference.bundle import open_bundle
from triage.inference.registry import PACKAGED

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PARTS = 8
"""Squares cut from each photograph, beside the whole of it."""
PAGES = 40
CHILDREN = 300

Tensors = Iterator[tuple[str, NDArray[np.float32] | None]]


def photographs(spec: PreprocessingSpec) -> Tensors:
    """Whole and in parts."""
    rng = np.random.default_rng(3)
    samples = Path(matplotlib.get_data_path()) / "sample_data"
    found = {
        name: np.asarray(Image.open(samples / name).convert("L"))
        for name in ("grace_hopper.jpg", "Minduka_Present_Blue_Pack.png")
    }
    found |= {
        f"sklearn {number}": np.asarray(Image.fromarray(one).convert("L"))
        for number, one in enumerate(load_sample_images().images)
    }
    for name, grey in found.items():
        yield name, pictures.tensor(grey, spec)
        for _ in range(PARTS):
            side = int(min(grey.shape) * rng.uniform(0.3, 1))
            top, left = (int(rng.integers(0, extent - side + 1)) for extent in grey.shape)
            yield name, pictures.tensor(grey[top : top + side, left : left + side], spec)


def pages(spec: PreprocessingSpec) -> Tensors:
    """This file's own text, in several fonts, sizes and colours."""
    words = Path(__file__).read_text(encoding="utf-8").split()
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    rng = np.random.default_rng(4)
    for number in range(PAGES):
        ground, ink = ((255, 0), (0, 255), (230, 40))[number % 3]
        page = Image.new("L", (800, 1000), ground)
        size = int(rng.integers(14, 48))
        font = ImageFont.truetype(fonts / ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")[number % 3], size)
        for row in range(int(rng.integers(20, 200)), int(rng.uniform(300, 1000)), int(size * 1.4)):
            at = int(rng.integers(0, len(words) - 10))
            ImageDraw.Draw(page).text((60, row), " ".join(words[at : at + int(rng.integers(3, 10))]), fill=ink, font=font)
        yield f"page {number}", pictures.tensor(np.asarray(page), spec)


def dicom(folder: Path, names: Callable[[str], bool], least: int = 1) -> Callable[[PreprocessingSpec], Tensors]:
    """Films of a folder, by name, of sides of ``least`` pixels; what preprocessing refuses is left out."""

    def made(spec: PreprocessingSpec) -> Tensors:
        for path in sorted(folder.glob("*.dcm")):
            try:
                dataset = dcmread(path)
                if names(path.name) and min(int(dataset.Rows), int(dataset.Columns)) >= least and dataset.SamplesPerPixel == 1:
                    yield path.name, preprocess(dataset, spec)
            except Exception as error:
                print(f"left out: {path.name} ({type(error).__name__})", file=sys.stderr)

    return made


def children(spec: PreprocessingSpec) -> Tensors:
    """Frontal films of small children: outside the intended population, and frontal chest films all the same."""
    found = sorted((SHARED / "kermany_128px" / "images").glob("*.jpg"))
    for path in np.random.default_rng(5).permutation(np.array(found, dtype=object))[:CHILDREN]:
        yield path.name, pictures.tensor(np.asarray(Image.open(path).convert("L")), spec)


REAL = SHARED / "dicom"
OUTSIDERS: tuple[tuple[str, Callable[[PreprocessingSpec], Tensors]], ...] = (
    ("photographs", photographs),
    ("pages of text", pages),
    ("pydicom's test files", dicom(Path(pydicom.data.__file__).parent / "test_files", lambda _: True, least=64)),
    ("hips", dicom(REAL, lambda name: name.startswith("hip"))),
    ("tibiae", dicom(REAL, lambda name: name.startswith("tibia"))),
    ("spines", dicom(REAL, lambda name: name.startswith("cspine"))),
    ("an animal from the side", dicom(REAL, lambda name: name.startswith("animal"))),
    ("a PET slice", dicom(REAL, lambda name: name.startswith("pet"))),
    ("chest, wrong polarity tag", dicom(REAL, lambda name: name.startswith("chest_pa_wrong"))),
    ("chest", dicom(REAL, lambda name: name.startswith("chest_pa_cr"))),
    ("small children, frontal", children),
)


def main(path: Path) -> None:
    """Print the table of one bundle."""
    bundle = open_bundle(path)
    if bundle.gate is None:
        raise SystemExit(f"{path} brings no image gate")
    print("| picture | refused | certainly no chest | words |\n|---|---|---|---|")
    for name, made in OUTSIDERS:
        words, passed, certain = [], set(), 0
        for label, tensor in made(bundle.spec):
            opinion = None if tensor is None else bundle.gate.opinion(tensor)
            words.append("no tensor" if opinion is None else opinion.word.code)
            certain += opinion is not None and opinion.certain
            if opinion is not None and opinion.word is Word.CHEST:
                passed.add(label)
        refused = sum(word != Word.CHEST.code for word in words)
        said = ", ".join(f"{word} {words.count(word)}" for word in sorted(set(words)))
        print(f"| {name} | {proportion(refused, len(words))} | {certain} of {len(words)} | {said} |")
        if 0 < len(passed) <= 12:
            print(f"passed: {', '.join(sorted(passed))}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGED / "recommended")
