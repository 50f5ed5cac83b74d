"""Every real film with a grey picture, as we and as DCMTK show it: within one grey level (``-s`` prints the table)."""

import subprocess
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRLittleEndian

from tests.unit.imaging.conftest import REAL_FILMS, file_object
from tests.unit.imaging.parity import WINDOW, percentiles, program, shown_by_dcmtk, shown_by_us

NO_PICTURE = {"chest_cr_korean_names_no_pixels.dcm", "not_dicom_html_1.dcm", "not_dicom_html_2.dcm", "not_dicom_html_3.dcm"}
NAMES = sorted(path.name for path in REAL_FILMS.glob("*.dcm") if path.name not in NO_PICTURE)
LOSSLESS = [name for name in NAMES if name.startswith(("hip", "tibia")) and "lossy" not in name and "extended" not in name]
_SSIZ = 42  # bytes from the start of a codestream to its depth, less 1 (ISO/IEC 15444-1 A.5.1)

pytestmark = [pytest.mark.peer, pytest.mark.skipif(not NAMES, reason="the folder ../shared/data/dicom is not here")]


@pytest.fixture(scope="module")
def uncompressed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The same film by another decoder than ours: DCMTK's, or for JPEG 2000, which that has none for, Pillow's."""
    folder = tmp_path_factory.mktemp("real")

    def decoded(name: str) -> Path:
        source, target = REAL_FILMS / name, folder / name
        dataset = dcmread(source)
        syntax = dataset.file_meta.TransferSyntaxUID
        if not syntax.is_compressed:
            return source
        if "2000" in syntax.name:
            image = pytest.importorskip("PIL.Image")
            codestream = get_frame(dataset.PixelData, 0, number_of_frames=1)
            bits = codestream[codestream.index(b"\xff\x4f\xff\x51") + _SSIZ] + 1
            # Pillow moves values of 9 to 15 bits up to the top of 16
            pixels = (np.asarray(image.open(BytesIO(codestream))) >> (16 - bits if bits > 8 else 0)).astype("<u2")
            dataset.PixelData, dataset.file_meta.TransferSyntaxUID = pixels.tobytes(), ExplicitVRLittleEndian
            dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OW", False
            target.write_bytes(file_object(dataset))
        else:
            tool = "dcmdrle" if "RLE" in syntax.name else "dcmdjpls" if "JPEG-LS" in syntax.name else "dcmdjpeg"
            subprocess.run([tool, source, target], check=True, capture_output=True, timeout=60)
        return target

    return decoded


@cache
def shown(name: str) -> NDArray[np.uint8]:
    return shown_by_us((REAL_FILMS / name).read_bytes())


def stored(dataset: Dataset) -> NDArray[Any]:
    """The stored values of an uncompressed film that uses all the bits of its cells, or leaves the others 0."""
    kind = f"<{'i' if dataset.PixelRepresentation else 'u'}{dataset.BitsAllocated // 8}"
    return np.frombuffer(dataset.PixelData, kind)[: dataset.Rows * dataset.Columns]


@pytest.mark.parametrize("name", NAMES)
def test_a_real_film(name: str, uncompressed: Callable[[str], Path], tmp_path: Path) -> None:
    if program("") is None:
        pytest.skip("dcmj2pnm (DCMTK) is not installed")
    path = uncompressed(name)
    dataset, options = dcmread(path), WINDOW
    if "WindowWidth" not in dataset:  # told the film's percentiles, which are linear in its stored values
        options = percentiles(stored(dataset))
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            dataset.pop(keyword, None)
        path = tmp_path / "bare.dcm"
        path.write_bytes(file_object(dataset))
    wanted = shown_by_dcmtk(path, ExplicitVRLittleEndian, options)
    difference = np.abs(shown(name).astype(np.int64) - wanted)
    print(f"{name:50} {difference.max():3} {(difference > 0).mean():8.2%}")
    assert difference.max() <= 1


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_lossless_film_is_its_uncompressed_twin(name: str) -> None:
    twin = f"{name.partition('_cr_')[0]}_cr_{'monochrome1_' if 'monochrome1' in name else ''}uncompressed.dcm"
    assert np.array_equal(shown(name), shown(twin))
