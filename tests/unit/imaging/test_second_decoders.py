"""The same stored values as a second, independent decoder of each transfer syntax reads."""

import shutil
import subprocess

import imagecodecs
import numpy as np
import pytest
import rle.utils
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.pixels.decoders import RLELosslessDecoder

from triage.imaging.codecs import decode_frame


def stream_of(dataset):
    return get_frame(dataset.PixelData, 0, number_of_frames=1)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("second", ["ljpeg_decode", "jpegsof3_decode"])
def test_jpeg_lossless(film, pixels_of_anatomy, bits, second):
    dataset = film(pixels_of_anatomy(bits), bits=bits, syntax="1.2.840.10008.1.2.4.70")
    assert np.array_equal(decode_frame(dataset), getattr(imagecodecs, second)(stream_of(dataset)))


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_run_length(film, pixels_of_anatomy, bits):
    dataset = film(pixels_of_anatomy(bits), bits=bits, syntax="1.2.840.10008.1.2.5")
    dataset.NumberOfFrames = 1
    found = decode_frame(dataset)
    cells = rle.utils.decode_frame(stream_of(dataset), found.size, dataset.BitsAllocated, "<")
    assert np.array_equal(found.ravel(), np.frombuffer(cells, found.dtype))
    theirs, _ = RLELosslessDecoder.as_array(dataset, decoding_plugin="pydicom")
    assert np.array_equal(found, theirs)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_high_throughput_jpeg_2000(film, pixels_of_anatomy, bits):
    """OpenJPH reads what OpenJPEG reads; it is not the one that serves, since its binding gives a picture after an error."""
    dataset = film(pixels_of_anatomy(bits), bits=bits, syntax="1.2.840.10008.1.2.4.201")
    assert np.array_equal(decode_frame(dataset), imagecodecs.htj2k_decode(stream_of(dataset)))


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("hip_cr_j2k_lossless.dcm", 0),
        ("tibia_cr_monochrome1_j2k_lossless.dcm", 0),
        ("hip_cr_j2k_lossy.dcm", 1),
        ("chest_pa_cr_monochrome1_15bit_j2k_lossy.dcm", 1),
    ],
)
def test_jpeg_2000_as_gdcm_decodes_it(real_films, tmp_path, name, tolerance):
    program = shutil.which("gdcmconv")
    if program is None:
        pytest.skip("gdcmconv (libgdcm-tools) is not installed")
    subprocess.run([program, "--raw", real_films / name, tmp_path / name], check=True, capture_output=True, timeout=60)
    theirs = decode_frame(dcmread(tmp_path / name)).astype(np.int64)
    assert np.abs(decode_frame(dcmread(real_films / name)) - theirs).max() <= tolerance
