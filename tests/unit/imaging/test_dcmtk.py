"""The same stored values as a second, independent implementation reads: DCMTK."""

import shutil
import subprocess

import numpy as np
import pytest
from pydicom import dcmread

from triage.imaging.codecs import decode_frame

CASES = [
    ("dcmdjpls", "hip_cr_jpegls_lossless.dcm", 0),
    ("dcmdjpls", "hip_cr_jpegls_lossy.dcm", 0),
    ("dcmdjpeg", "tibia_cr_monochrome1_jpeg_lossless.dcm", 0),
    ("dcmdjpeg", "pet_jpeg_lossless.dcm", 0),
    # lossy JPEG: the inverse cosine transform may round differently (PS3.5 8.2.1)
    ("dcmdjpeg", "hip_cr_jpeg_extended_12bit.dcm", 1),
    ("dcmdjpeg", "chest_pa_cr_jpeg_baseline.dcm", 1),
    ("dcmdrle", "hip_cr_rle.dcm", 0),
]


@pytest.mark.peer
@pytest.mark.parametrize(("tool", "name", "tolerance"), CASES)
def test_stored_values_are_those_dcmtk_decodes(real_films, tmp_path, tool, name, tolerance):
    program = shutil.which(tool)
    if program is None:
        pytest.skip(f"{tool} (DCMTK) is not installed")
    subprocess.run([program, real_films / name, tmp_path / name], check=True, capture_output=True, timeout=60)
    expected = decode_frame(dcmread(tmp_path / name)).astype(np.int64)
    assert np.abs(decode_frame(dcmread(real_films / name)) - expected).max() <= tolerance
