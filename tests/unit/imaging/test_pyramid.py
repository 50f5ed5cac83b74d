"""A film made small is the film decoded small, to the last bit."""

from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pydicom.encaps import encapsulate

from tests.size import size
from triage.domain.errors import PixelError
from triage.imaging.codecs import decode_frame, decode_low_band
from triage.imaging.pyramid import LARGE, halved, levels, low_band

JPEG_2000, HIGH_THROUGHPUT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"


def pictures(bits):
    shape = st.tuples(st.integers(9, 150), st.integers(9, 150))
    seed = st.integers(0, 2**32 - 1)
    kinds = st.sampled_from(["noise", "edges", "smooth", "extremes"])
    return st.builds(picture, st.just(bits), shape, seed, kinds)


def picture(bits, shape, seed, kind):
    generator = np.random.default_rng(seed)
    most = (1 << bits) - 1
    if kind == "noise":
        pixels = generator.integers(0, most + 1, shape)
    elif kind == "extremes":
        pixels = generator.integers(0, 2, shape) * most
    elif kind == "edges":
        pixels = np.where(np.add.outer(np.arange(shape[0]), np.arange(shape[1])) // 7 % 2, most, 0)
    else:
        pixels = np.linspace(0, most, shape[0])[:, np.newaxis] + np.zeros(shape)
    return pixels.astype(np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize("bits", [2, 7, 8, 10, 12, 14, 15, 16])
@settings(deadline=None, max_examples=size(10, 25))
@given(data=st.data())
def test_a_reduced_decoding_is_the_low_band(film, bits, data):
    pixels = data.draw(pictures(bits))
    for count in (1, 2, 3):
        small = decode_low_band(film(pixels, bits=bits), count)
        assert small.shape == (halved(pixels.shape[0], count), halved(pixels.shape[1], count))
        assert np.array_equal(decode_low_band(film(pixels, bits=bits, syntax=JPEG_2000), count), small)
        assert np.array_equal(decode_low_band(film(pixels, bits=bits, syntax=HIGH_THROUGHPUT), count), small)


@settings(deadline=None, max_examples=size(25, 60))
@given(
    arrays(np.int32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(-(1 << 15), (1 << 16) - 1)),
    st.integers(0, 3),
)
def test_sixteen_bits_are_enough_where_they_are_used(pixels, count):
    wide = low_band(pixels.astype(np.int64), 0)
    for _ in range(count):
        wide = slowly(wide)
    assert np.array_equal(low_band(pixels, count), wide)


def slowly(pixels):
    """The same transform as its text says it, sample by sample, without a thought for speed."""

    def line(samples):
        count = len(samples)
        if count == 1:
            return samples

        def at(index):
            return int(samples[-index if index < 0 else 2 * (count - 1) - index if index >= count else index])

        def high(index):
            return at(2 * index + 1) - (at(2 * index) + at(2 * index + 2)) // 2

        def mirrored(index):  # the high sample left of the first is the first; right of the last, the last of an odd line
            odd = 2 * index + 1
            odd = -odd if odd < 0 else 2 * (count - 1) - odd if odd >= count else odd
            return high((odd - 1) // 2)

        return np.array([at(2 * index) + (mirrored(index - 1) + mirrored(index) + 2) // 4 for index in range((count + 1) // 2)])

    columns = np.stack([line(pixels[:, column]) for column in range(pixels.shape[1])], axis=1)
    return np.stack([line(columns[row]) for row in range(columns.shape[0])])


def test_a_band_of_many_rows_has_no_seams():
    pixels = picture(14, (1203, 37), 3, "noise")
    seamless = low_band(pixels[:, :], 1)
    assert np.array_equal(seamless[:600], low_band(pixels[:1210], 1)[:600])
    wide = slowly(pixels.astype(np.int64))
    assert np.array_equal(seamless, wide)


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [(1024, 1024, 0), (1448, 1448, 0), (1449, 1449, 2), (3000, 2500, 3), (2500, 3000, 3), (20000, 200, 0), (4000, 4000, 3)],
)
def test_only_a_large_film_is_halved_and_never_below_twice_the_input(rows, columns, expected):
    assert levels(rows, columns, 128, 128) == expected
    assert expected == 0 or (rows * columns > LARGE and min(halved(rows, expected), halved(columns, expected)) >= 256)


def test_a_stream_whose_low_band_is_another_is_decoded_whole(film):
    """Tiles, a sign, other bits, fewer levels: each has edges or a meaning that the film itself has not."""
    pixels = picture(8, (192, 128), 5, "noise")  # Pillow spoils tiles of 16 bits, and those that are not full
    expected = decode_low_band(film(pixels, bits=8), 2)
    for options in ({"tile_size": (64, 64)}, {"num_resolutions": 2}):
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False, no_jp2=True, **options)
        dataset = film(pixels, bits=8, syntax=JPEG_2000)
        dataset.PixelData = encapsulate([stream.getvalue()])
        assert np.array_equal(decode_frame(dataset), pixels)
        assert np.array_equal(decode_low_band(dataset, 2), expected)
    signed = (picture(16, (150, 140), 5, "noise").astype(np.int32) - (1 << 15)).astype(np.int16)
    assert np.array_equal(
        decode_low_band(film(signed, bits=16, syntax=JPEG_2000), 2), decode_low_band(film(signed, bits=16), 2)
    )
    shallow = picture(12, (150, 140), 5, "noise")
    deeper = film(shallow, bits=16, syntax=JPEG_2000)
    deeper.BitsStored, deeper.HighBit = 12, 11
    assert np.array_equal(decode_low_band(deeper, 2), decode_low_band(film(shallow), 2))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", JPEG_2000])
@pytest.mark.parametrize(("bits", "stored"), [(16, 12), (13, 12)])
def test_what_a_stream_has_beyond_the_bits_stored_is_not_cut_off(film, syntax, bits, stored):
    """A lossy encoder that was given whole cells, or overshoots: the low band is that of the values it gives."""
    pixels = picture(bits, (150, 140), 5, "smooth")
    dataset = film(pixels, bits=bits, syntax=JPEG_2000)
    if syntax == "1.2.840.10008.1.2.4.81":
        dataset.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(pixels, level=2))])
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.BitsStored, dataset.HighBit = stored, bits - 1 if bits == 16 else stored - 1
    if syntax == JPEG_2000 and bits == 13:  # a lossless one that gives more than its header allows contradicts it
        with pytest.raises(PixelError):
            decode_low_band(dataset, 2)
        return
    assert np.array_equal(decode_low_band(dataset, 2), low_band(decode_frame(dataset), 2))
    assert int(decode_low_band(dataset, 2).max()) > 0.9 * int(decode_frame(dataset).max())
