"""Codestreams are walked to their end before they are decoded, and what is no whole one of the right kind is refused."""

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate, get_frame

from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.imaging import jpeg_sequential
from triage.imaging.codecs import decode_frame
from triage.imaging.encapsulated import only_frame
from triage.imaging.jpeg2000_stream import read_jpeg_2000
from triage.imaging.jpeg_lossless import decode_jpeg_lossless
from triage.imaging.jpeg_sequential import decode_jpeg_sequential
from triage.imaging.jpeg_stream import read_jpeg
from triage.imaging.run_length import decode_run_length

BASELINE, EXTENDED, LOSSLESS, FIRST_ORDER, JPEG_LS, NEAR, J2K_REVERSIBLE, J2K, HIGH = (
    f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, 201)
)
RLE = "1.2.840.10008.1.2.5"
COMPRESSED = (RLE, BASELINE, EXTENDED, LOSSLESS, FIRST_ORDER, JPEG_LS, NEAR, J2K_REVERSIBLE, HIGH)


def refused(dataset):
    with pytest.raises(PixelError) as caught:
        decode_frame(dataset)
    assert caught.value.reason is Reason.CANNOT_DECODE
    return str(caught.value)


def stream_of(dataset):
    return get_frame(dataset.PixelData, 0, number_of_frames=1)


def compressed(film, syntax):
    return film(bits=8 if syntax == BASELINE else 12, syntax=syntax)


READERS = {
    only_frame: b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0",
    read_jpeg: bytes(imagecodecs.jpeg_encode(np.zeros((8, 8), np.uint8)))[:-4],
    decode_jpeg_lossless: bytes(imagecodecs.jpeg_encode(np.zeros((8, 8), np.uint8), lossless=True))[:-4],
    decode_jpeg_sequential: bytes(imagecodecs.jpeg_encode(np.zeros((8, 8), np.uint8)))[:-4],
    read_jpeg_2000: bytes(imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint8), codecformat="J2K"))[:-20],
    lambda data: decode_run_length(data, 64, 8): (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56),
}


DECODERS = (decode_jpeg_lossless, decode_jpeg_sequential)


def reason_of(reader, data):
    """``None``: it was read. The decoder's own errors are those that decode_frame turns into a reason."""
    try:
        reader(data)
    except PixelError as error:
        return error.reason
    except RuntimeError:
        return Reason.CANNOT_DECODE if reader in DECODERS else None
    return None


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(READERS)), st.data())
def test_no_bytes_make_a_reader_fail_otherwise(reader, data):
    start = READERS[reader]
    kept = data.draw(st.integers(0, len(start)))
    assert reason_of(reader, start[:kept] + data.draw(st.binary(max_size=80))) in (None, Reason.CANNOT_DECODE)


@pytest.mark.parametrize("syntax", COMPRESSED[1:])
def test_what_stands_behind_the_end_of_a_codestream_is_padding_or_the_film_is_refused(film, syntax):
    dataset = compressed(film, syntax)
    whole, stream = decode_frame(dataset), stream_of(dataset)
    for padding in (b"\0\xff", bytes(1000), b"\xff" * 1000):
        dataset.PixelData = encapsulate([stream + padding])
        assert np.array_equal(decode_frame(dataset), whole)
    dataset.PixelData = encapsulate([stream + bytes(20) + b"\1\0"])
    refused(dataset)
    dataset.PixelData = encapsulate([stream + stream])  # two frames where one is said to be
    refused(dataset)


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_codestream_of_another_kind_is_refused(film, syntax):
    dataset = compressed(film, syntax)
    twins = {LOSSLESS, FIRST_ORDER, EXTENDED if syntax == BASELINE else "", NEAR if syntax == JPEG_LS else ""}
    for other in set(COMPRESSED) - {syntax} - (twins if syntax in (LOSSLESS, FIRST_ORDER, BASELINE, JPEG_LS) else set()):
        dataset.file_meta.TransferSyntaxUID = other
        refused(dataset)


def test_a_predictor_that_the_syntax_does_not_have_is_refused(film, pixels_of_anatomy):
    stream = bytes(imagecodecs.jpeg_encode(pixels_of_anatomy(), lossless=True, predictor=6, bitspersample=12))
    assert np.array_equal(decode_frame(film(syntax=LOSSLESS, PixelData=encapsulate([stream]))), pixels_of_anatomy())
    refused(film(syntax=FIRST_ORDER, PixelData=encapsulate([stream])))


@pytest.mark.parametrize("syntax", [LOSSLESS, FIRST_ORDER, J2K_REVERSIBLE])
def test_a_codestream_shallower_than_the_header_says_is_refused(film, syntax):
    dataset = film(bits=12, syntax=syntax)
    dataset.BitsStored, dataset.HighBit = 13, 12
    assert "depth" in refused(dataset)


@pytest.mark.parametrize("place", ["length", "tag"])
def test_fragments_that_lie_are_refused(film, place):
    dataset = film(syntax=JPEG_LS)
    data = bytearray(dataset.PixelData)
    if place == "length":
        data[16:20] = (0xFFFFFF00).to_bytes(4, "little")
    else:
        data[12] = 0xFD  # of the fragment: behind a table of one offset
    dataset.PixelData = bytes(data)
    refused(dataset)


@pytest.mark.parametrize("offsets", [(0,), (12,), (0, 1008)])
def test_an_offset_table_that_lies_about_one_frame_does_not_matter(film, pixels_of_anatomy, offsets):
    """Some devices give an offset for each fragment."""
    dataset = film(syntax=JPEG_LS)
    stream = stream_of(dataset)
    table = b"".join(offset.to_bytes(4, "little") for offset in offsets)
    items = (table, stream[:1000], stream[1000:])
    dataset.PixelData = b"".join(b"\xfe\xff\0\xe0" + len(item).to_bytes(4, "little") + item for item in items)
    assert np.array_equal(decode_frame(dataset), pixels_of_anatomy())


@pytest.mark.parametrize("syntax", COMPRESSED)
@pytest.mark.parametrize("has_table", [True, False])
def test_two_frames_where_one_is_said_to_be_are_refused(film, syntax, has_table):
    dataset = compressed(film, syntax)
    dataset.PixelData = encapsulate([stream_of(dataset)] * 2, has_bot=has_table)
    refused(dataset)


def test_baseline_under_the_marker_of_extended_is_baseline(film):
    dataset = compressed(film, BASELINE)
    whole, stream = decode_frame(dataset), stream_of(dataset)
    assert stream.count(b"\xff\xc0\0\x0b") == 1
    dataset.PixelData = encapsulate([stream.replace(b"\xff\xc0\0\x0b", b"\xff\xc1\0\x0b")])
    assert np.array_equal(decode_frame(dataset), whole)


def test_jpeg_lossless_may_have_a_few_zeros_before_its_end(film, pixels_of_anatomy):
    dataset = film(syntax=FIRST_ORDER)
    stream = stream_of(dataset)
    start, end = stream[: read_jpeg(stream).end], stream[read_jpeg(stream).end :]
    dataset.PixelData = encapsulate([start + bytes(2) + end])
    assert np.array_equal(decode_frame(dataset), pixels_of_anatomy())
    for more in (bytes(9), b"\0\1"):
        dataset.PixelData = encapsulate([start + more + end])
        refused(dataset)


def test_beyond_a_number_of_coded_bytes_jpeg_is_decoded_unproved(monkeypatch, pixels_of_anatomy):
    stream = bytearray(imagecodecs.jpeg_encode(pixels_of_anatomy(), bitspersample=12, level=95))
    coded = read_jpeg(bytes(stream))
    del stream[coded.end - 300 : coded.end - 200]
    monkeypatch.setattr(jpeg_sequential, "MOST_PROVED", coded.end - coded.start - 100)
    assert reason_of(decode_jpeg_sequential, bytes(stream)) is Reason.CANNOT_DECODE
    monkeypatch.setattr(jpeg_sequential, "MOST_PROVED", coded.end - coded.start - 101)
    assert reason_of(decode_jpeg_sequential, bytes(stream)) is None


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [2, 8, 12, 16])
def test_every_predictor_and_depth_of_jpeg_lossless_takes_the_bits_it_holds(predictor, bits, pixels_of_anatomy):
    for rows, columns in ((120, 100), (1, 7), (9, 1), (1, 1)):
        pixels = pixels_of_anatomy(bits, rows, columns)
        pixels = pixels.astype(np.uint8) if bits <= 8 else pixels
        stream = bytes(imagecodecs.jpeg_encode(pixels, lossless=True, predictor=predictor, bitspersample=bits))
        assert np.array_equal(decode_jpeg_lossless(stream), pixels)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("level", [5, 50, 90, 100])
def test_every_quality_of_sequential_jpeg_holds_the_blocks_of_its_image(bits, level, pixels_of_anatomy):
    for rows, columns in ((120, 100), (9, 1)):
        for pixels in (pixels_of_anatomy(bits, rows, columns), np.full((rows, columns), 1 << bits)):
            kind = np.uint8 if bits == 8 else np.uint16
            stream = bytes(
                imagecodecs.jpeg_encode(np.clip(pixels, 0, (1 << bits) - 1).astype(kind), level=level, bitspersample=bits)
            )
            assert np.array_equal(decode_jpeg_sequential(stream), imagecodecs.jpeg_decode(stream))


@pytest.mark.training
def test_restart_markers_stand_where_the_header_says(pixels_of_anatomy):
    image = pytest.importorskip("PIL.Image").fromarray(pixels_of_anatomy(8, 130, 100).astype(np.uint8))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=90, restart_marker_rows=1)
    whole = buffer.getvalue()
    assert len(read_jpeg(whole).restarts) == 16
    assert np.array_equal(decode_jpeg_sequential(whole), imagecodecs.jpeg_decode(whole))
    (start, end), (after, _) = read_jpeg(whole).restarts[3:5]
    for damaged in (
        whole[:start] + whole[end:],  # one is gone
        whole[:end] + whole[after:],  # what it begins is gone
        whole[:start] + b"\xff\xd7" + whole[end:],  # out of turn
        whole[: end + 5] + whole[after - 5 :],  # nearly all of an interval
    ):
        assert reason_of(decode_jpeg_sequential, damaged) is Reason.CANNOT_DECODE


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("remove", [True, False])
def test_jpeg_with_bytes_taken_out_or_put_in_is_refused(decoder, remove, pixels_of_anatomy):
    """Whatever is decoded from there on takes other bits than the stream holds; a few bytes may fall out evenly."""
    how = {"lossless": True, "predictor": 1} if decoder is decode_jpeg_lossless else {"level": 95}
    stream = bytes(imagecodecs.jpeg_encode(pixels_of_anatomy(), bitspersample=12, **how))
    start, rng = read_jpeg(stream).start, np.random.default_rng(3)
    found = []
    for _ in range(40):
        place = int(rng.integers(start, len(stream) - 70))
        noise = b"" if remove else rng.integers(0, 255, 60, dtype=np.uint8).tobytes()
        found.append(reason_of(decoder, stream[:place] + noise + stream[place + 60 * remove :]))
    assert found.count(Reason.CANNOT_DECODE) >= 36


def test_a_mean_that_no_samples_have_is_refused():
    """A flipped bit in the difference of two means keeps every code in its place and shifts all that follows."""
    pixels = np.repeat(np.array([0, 255] * 8, np.uint8), 64).reshape(16, 64).repeat(8, axis=0)
    stream = bytes(imagecodecs.jpeg_encode(pixels, level=100))
    start = read_jpeg(stream).start
    second = bytearray(stream)
    second[start + 1] ^= 0x80  # the sign, or the highest bit, of the first mean
    assert reason_of(decode_jpeg_sequential, stream) is None
    assert reason_of(decode_jpeg_sequential, bytes(second)) is Reason.CANNOT_DECODE


@pytest.mark.parametrize("more", [b"\0", b"\0\0", bytes(100), bytes(1 << 16)])
def test_uncompressed_pixel_data_may_be_padded_with_zeros(film, pixels_of_anatomy, more):
    data = pixels_of_anatomy().astype("<u2").tobytes()
    assert np.array_equal(decode_frame(film(PixelData=data + more)), pixels_of_anatomy())


@pytest.mark.parametrize("change", [-2, -1, 2, 202, 1 << 16])
def test_uncompressed_pixel_data_of_another_length_are_refused(film, pixels_of_anatomy, change):
    data = pixels_of_anatomy().astype("<u2").tobytes()
    refused(film(PixelData=data[:change] if change < 0 else data + b"\1" * change))
    refused(film(PixelData=data + bytes((1 << 16) + 2)))


@pytest.mark.parametrize(
    ("offset", "value"), [(0, 1), (0, 3), (0, 1 << 31), (4, 60), (4, 63), (8, 64), (8, 1 << 31), (12, 70), (60, 1)]
)
def test_an_rle_header_that_does_not_fit_is_refused(film, offset, value):
    dataset = film(syntax=RLE)
    frame = bytearray(stream_of(dataset))
    frame[offset : offset + 4] = value.to_bytes(4, "little")
    dataset.PixelData = encapsulate([bytes(frame)])
    refused(dataset)


@pytest.mark.parametrize("more", [b"\x7f" + bytes(128), b"\x81\x05", b"\xff\x05\xff\x05"])
def test_an_rle_segment_that_decodes_to_more_than_the_image_is_refused(film, more):
    """pylibjpeg-rle panics there, which no ``except Exception`` catches."""
    dataset = film(syntax=RLE)
    dataset.PixelData = encapsulate([stream_of(dataset) + more])
    refused(dataset)


@pytest.mark.parametrize("more", [bytes(2), b"\x80", b"\0\x80\0", b"\x80" * 3 + bytes(200), bytes(1000)])
@pytest.mark.parametrize("place", [0, 1])
def test_an_rle_segment_may_be_padded(film, pixels_of_anatomy, place, more):
    """With zeros, or with 0x80, which stands for nothing (PS3.5 G.3.1)."""
    dataset = film(syntax=RLE)
    frame = stream_of(dataset)
    second = int.from_bytes(frame[8:12], "little")
    if place == 0:
        frame = frame[:8] + (second + len(more)).to_bytes(4, "little") + frame[12:second] + more + frame[second:]
    else:
        frame += more
    dataset.PixelData = encapsulate([frame])
    assert np.array_equal(decode_frame(dataset), pixels_of_anatomy())


@pytest.mark.parametrize("more", [b"\0\1", b"\0\5\0\0", b"\x80" * 9 + b"\1\2\3", bytes(100) + b"\1\0\0"])
def test_an_rle_segment_padded_with_something_else_is_refused(film, more):
    dataset = film(syntax=RLE)
    dataset.PixelData = encapsulate([stream_of(dataset) + more])
    refused(dataset)


def test_padding_does_not_make_up_for_a_short_rle_segment(film):
    dataset = film(syntax=RLE)
    whole = stream_of(dataset)
    for gone in (3, 20, 2000):
        dataset.PixelData = encapsulate([whole[:-gone] + bytes(9000)])
        refused(dataset)
