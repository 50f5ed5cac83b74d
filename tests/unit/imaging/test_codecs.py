"""Stored values come out of every transfer syntax as they went in; anything else is a reason, never a picture."""

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging.codecs import DECODERS, _image_codec, decode_frame, describe

SIBLINGS = {
    "hip_cr_uncompressed.dcm": ("hip_cr_rle.dcm", "hip_cr_jpegls_lossless.dcm", "hip_cr_j2k_lossless.dcm"),
    "tibia_cr_monochrome1_uncompressed.dcm": (
        "tibia_cr_monochrome1_rle.dcm",
        "tibia_cr_monochrome1_jpegls_lossless.dcm",
        "tibia_cr_monochrome1_j2k_lossless.dcm",
        "tibia_cr_monochrome1_jpeg_lossless.dcm",
    ),
}


@pytest.mark.parametrize(("original", "compressed"), [(key, name) for key, names in SIBLINGS.items() for name in names])
def test_real_lossless_films_are_bit_exact_to_their_uncompressed_sibling(real_films, original, compressed):
    expected = decode_frame(dcmread(real_films / original))
    assert np.array_equal(decode_frame(dcmread(real_films / compressed)), expected)


@pytest.mark.parametrize(
    ("name", "mean_error"),
    [("hip_cr_jpegls_lossy.dcm", 2.5), ("hip_cr_j2k_lossy.dcm", 4.0), ("hip_cr_jpeg_extended_12bit.dcm", 8.0)],
)
def test_real_lossy_films_are_near_their_uncompressed_sibling(real_films, name, mean_error):
    expected = decode_frame(dcmread(real_films / "hip_cr_uncompressed.dcm")).astype(int)
    decoded = decode_frame(dcmread(real_films / name)).astype(int)
    assert np.abs(decoded - expected).mean() < mean_error


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_every_lossless_syntax_gives_the_stored_values(film, pixels_of_anatomy, lossless_syntax, bits):
    expected = pixels_of_anatomy(bits, rows=61, columns=51)
    decoded = decode_frame(film(expected, bits=bits, syntax=lossless_syntax))
    assert decoded.shape == expected.shape
    assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_signed_values_keep_their_sign_in_every_lossless_syntax(film, pixels_of_anatomy, lossless_syntax, bits):
    expected = (pixels_of_anatomy(bits, rows=61, columns=51).astype(np.int32) - (1 << (bits - 1))).astype(np.int16)
    assert expected.min() < 0 < expected.max()
    assert np.array_equal(decode_frame(film(expected, bits=bits, syntax=lossless_syntax)), expected)


def test_lossy_syntaxes_are_near(film, pixels_of_anatomy, lossy_syntax):
    bits = 8 if lossy_syntax.endswith(".50") else 12
    expected = pixels_of_anatomy(bits)
    decoded = decode_frame(film(expected, bits=bits, syntax=lossy_syntax))
    assert np.abs(decoded.astype(int) - expected).mean() < 0.01 * (1 << bits)


def test_the_other_names_of_a_codestream_use_its_decoder(film, pixels_of_anatomy):
    for syntax in ("1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"):
        twin = "1.2.840.10008.1.2.4.90" if syntax.endswith(".91") else "1.2.840.10008.1.2.4.201"
        dataset = film(syntax=twin)
        dataset.file_meta.TransferSyntaxUID = syntax
        assert np.array_equal(decode_frame(dataset), pixels_of_anatomy())


def test_every_syntax_of_the_table_is_tried_here(every_syntax):
    others = {"1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"}
    assert set(DECODERS) == set(every_syntax) | others


def test_one_frame_in_several_fragments(film, encoded, pixels_of_anatomy):
    syntax = "1.2.840.10008.1.2.4.80"
    dataset = film(syntax=syntax, PixelData=encoded(pixels_of_anatomy(), 12, syntax, fragments=3))
    assert np.array_equal(decode_frame(dataset), pixels_of_anatomy())


def test_bits_outside_the_stored_ones_are_not_part_of_the_value(film, pixels_of_anatomy):
    expected = pixels_of_anatomy(10)
    overlay_above = (expected | 0xFC00).astype("<u2").tobytes()
    assert np.array_equal(decode_frame(film(expected, bits=10, PixelData=overlay_above)), expected)
    shifted = (expected << 6).astype("<u2").tobytes()
    assert np.array_equal(decode_frame(film(expected, bits=10, PixelData=shifted, HighBit=15)), expected)


REFUSED = {
    "no pixel data": ({"PixelData": None}, Reason.NO_IMAGE),
    "rows 0": ({"Rows": 0}, Reason.CANNOT_DECODE),
    "no rows": ({"Rows": None}, Reason.CANNOT_DECODE),
    "columns 0": ({"Columns": 0}, Reason.CANNOT_DECODE),
    "more rows than data": ({"Rows": 121}, Reason.CANNOT_DECODE),
    "too many pixels": ({"Rows": 60000, "Columns": 60000}, Reason.CANNOT_DECODE),
    "colour": ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, Reason.NOT_GRAYSCALE),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.NOT_GRAYSCALE),
    "frames": ({"NumberOfFrames": 2}, Reason.MULTI_FRAME),
    "bits allocated 32": ({"BitsAllocated": 32}, Reason.CANNOT_DECODE),
    "bits stored beyond allocated": ({"BitsStored": 17, "HighBit": 16}, Reason.CANNOT_DECODE),
    "high bit below the stored bits": ({"HighBit": 3}, Reason.CANNOT_DECODE),
    "cut off": ({"PixelData": b"\1\2" * 500}, Reason.CANNOT_DECODE),
    "empty": ({"PixelData": b""}, Reason.CANNOT_DECODE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_decoded_says_why(film, case):
    elements, reason = REFUSED[case]
    with pytest.raises(PixelError) as caught:
        decode_frame(film(**elements))
    assert caught.value.reason is reason


def test_too_many_pixels_are_refused_before_any_decoder_is_chosen(film):
    with pytest.raises(PixelError, match="more pixels than are decoded"):
        describe(film(Rows=10_001, Columns=10_000))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.100", "1.2.3", "1.2.840.10008.1.2.4.70"])
def test_an_unknown_syntax_or_one_that_contradicts_the_data_is_refused(film, syntax):
    dataset = film()
    dataset.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(PixelError) as caught:
        decode_frame(dataset)
    assert caught.value.reason is Reason.CANNOT_DECODE


def compressed_syntaxes():
    return ["1.2.840.10008.1.2.5"] + [f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 201)]


@pytest.mark.parametrize("syntax", compressed_syntaxes())
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_a_codestream_cut_off_anywhere_is_refused_not_filled_up(film, syntax, kept):
    dataset = film(bits=8 if syntax.endswith(".50") else 12, syntax=syntax)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: int(len(frame) * kept)]])
    with pytest.raises(PixelError) as caught:
        decode_frame(dataset)
    assert caught.value.reason is Reason.CANNOT_DECODE


@pytest.mark.parametrize("syntax", compressed_syntaxes())
def test_a_codestream_of_another_size_is_refused(film, syntax):
    dataset = film(bits=8 if syntax.endswith(".50") else 12, syntax=syntax)
    dataset.Rows += 1
    with pytest.raises(PixelError) as caught:
        decode_frame(dataset)
    assert caught.value.reason is Reason.CANNOT_DECODE


@pytest.mark.parametrize("syntax", compressed_syntaxes()[1:])
def test_and_it_is_refused_before_it_is_decoded(film, syntax):
    """A small codestream may claim a picture of gigabytes."""
    dataset = film(bits=8 if syntax.endswith(".50") else 12, syntax=syntax)
    dataset.Columns += 1
    calls = []
    with pytest.raises(PixelError):
        _image_codec(calls.append)(dataset, describe(dataset))
    assert calls == []


def test_a_coloured_codestream_in_a_grey_film_is_refused(film, pixels_of_anatomy):
    eight = pixels_of_anatomy(8).astype(np.uint8)
    coloured = bytes(imagecodecs.jpeg_encode(np.stack([eight, eight, eight], axis=-1)))
    with pytest.raises(PixelError) as caught:
        decode_frame(film(bits=8, syntax="1.2.840.10008.1.2.4.50", PixelData=encapsulate([coloured])))
    assert caught.value.reason is Reason.CANNOT_DECODE


def test_a_film_without_file_meta_is_refused(film):
    dataset = film()
    del dataset.file_meta
    with pytest.raises(PixelError):
        decode_frame(dataset)
