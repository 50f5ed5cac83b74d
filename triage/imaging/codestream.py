"""What the codestream of a transfer syntax must be, looked at before anything is decoded: a table, and the walk over it."""

from dataclasses import dataclass

from triage.imaging.damage import damaged
from triage.imaging.jpeg2000_stream import Jpeg2000Stream, read_jpeg_2000
from triage.imaging.jpeg_stream import JPEG_LS, LOSSLESS, JpegStream, read_jpeg


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jpeg:
    """PS3.5 8.2.1, 8.2.3: the processes (start of frame) of a transfer syntax, its precisions and the values of Ss or NEAR."""

    processes: frozenset[int]
    precisions: frozenset[int]
    near: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jpeg2000:
    """PS3.5 8.2.4, 8.2.15."""

    high_throughput: bool
    only_reversible: bool


_ANY = frozenset(range(2, 17))
_ZERO = frozenset({0})
_KINDS: dict[str, _Jpeg | _Jpeg2000] = {
    "1.2.840.10008.1.2.4.50": _Jpeg(processes=frozenset({0, 1}), precisions=frozenset({8}), near=_ZERO),
    "1.2.840.10008.1.2.4.51": _Jpeg(processes=frozenset({0, 1}), precisions=frozenset({8, 12}), near=_ZERO),
    "1.2.840.10008.1.2.4.57": _Jpeg(processes=frozenset({LOSSLESS}), precisions=_ANY, near=frozenset(range(1, 8))),
    "1.2.840.10008.1.2.4.70": _Jpeg(processes=frozenset({LOSSLESS}), precisions=_ANY, near=frozenset({1})),
    "1.2.840.10008.1.2.4.80": _Jpeg(processes=frozenset({JPEG_LS}), precisions=_ANY, near=_ZERO),
    "1.2.840.10008.1.2.4.81": _Jpeg(processes=frozenset({JPEG_LS}), precisions=_ANY, near=frozenset(range(256))),
    "1.2.840.10008.1.2.4.90": _Jpeg2000(high_throughput=False, only_reversible=True),
    "1.2.840.10008.1.2.4.91": _Jpeg2000(high_throughput=False, only_reversible=False),
    "1.2.840.10008.1.2.4.201": _Jpeg2000(high_throughput=True, only_reversible=True),
    "1.2.840.10008.1.2.4.202": _Jpeg2000(high_throughput=True, only_reversible=True),
    "1.2.840.10008.1.2.4.203": _Jpeg2000(high_throughput=True, only_reversible=False),
}
"""Transfer syntax UID → what its codestreams are. Of 8 bits and one component, process 1 (SOF1) is baseline in all but name."""


def examine(codestream: bytes, syntax: str, *, rows: int, columns: int, bits_allocated: int, bits_stored: int) -> int:
    """Whether the codestream is whole by its markers, of the kind its transfer syntax says, and of the film's size and depth.

    The bits of its samples: as many as are stored, or more.

    Raises:
        PixelError: it is not; the sentence says in what.
    """
    kind = _KINDS[syntax]
    stream: JpegStream | Jpeg2000Stream
    if isinstance(kind, _Jpeg):
        stream = read_jpeg(codestream)
        fits = stream.process in kind.processes and stream.precision in kind.precisions and stream.near in kind.near
    else:
        stream = read_jpeg_2000(codestream)
        fits = stream.high_throughput == kind.high_throughput and stream.reversible >= kind.only_reversible
    if not fits:
        raise damaged("the codestream is not of the kind its transfer syntax says")
    if (stream.rows, stream.columns) != (rows, columns):
        raise damaged("the coded image has another size than the header says")
    if not bits_stored <= stream.precision <= bits_allocated:
        raise damaged("the coded image has another depth than the header says")
    return stream.precision
