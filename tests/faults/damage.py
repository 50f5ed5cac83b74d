"""Ways in which a stream of bytes goes wrong; each the same for the same generator."""

from collections.abc import Callable

import numpy as np

Generator = np.random.Generator
LONGEST_RUN = 400


def _place(size: int, start: int, rng: Generator) -> int:
    return int(rng.integers(start, max(start + 1, size - 4)))


def _run(rng: Generator) -> int:
    return int(rng.integers(2, LONGEST_RUN))


def flipped_bit(data: bytes, start: int, rng: Generator) -> bytes:
    damaged, place = bytearray(data), _place(len(data), start, rng)
    damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def changed_bytes(data: bytes, start: int, rng: Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        damaged[_place(len(data), start, rng)] = int(rng.integers(256))
    return bytes(damaged)


def zeroed_run(data: bytes, start: int, rng: Generator) -> bytes:
    place, run = _place(len(data), start, rng), _run(rng)
    return data[:place] + bytes(len(data[place : place + run])) + data[place + run :]


def removed_run(data: bytes, start: int, rng: Generator) -> bytes:
    place = _place(len(data) - LONGEST_RUN, start, rng)
    return data[:place] + data[place + _run(rng) :]


def inserted_run(data: bytes, start: int, rng: Generator) -> bytes:
    """Bytes from elsewhere in the same stream: they look like what belongs there."""
    place, source = _place(len(data), start, rng), _place(len(data), start, rng)
    return data[:place] + data[source : source + _run(rng)] + data[place:]


def swapped_runs(data: bytes, start: int, rng: Generator) -> bytes:
    first, second = sorted(_place(len(data) - LONGEST_RUN, start, rng) for _ in range(2))
    run = min(_run(rng), second - first)
    return b"".join(
        (data[:first], data[second : second + run], data[first + run : second], data[first : first + run], data[second + run :])
    )


def cut(data: bytes, start: int, rng: Generator) -> bytes:
    return data[: _place(len(data), start, rng)]


def cut_with_end(data: bytes, start: int, rng: Generator) -> bytes:
    """Cut off, and the end marker put back: it looks whole."""
    return data[: _place(len(data), start, rng)] + data[-2:]


def changed_header(data: bytes, start: int, rng: Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        damaged[int(rng.integers(start))] = int(rng.integers(256))
    return bytes(damaged)


def garbage_behind(data: bytes, start: int, rng: Generator) -> bytes:
    return data + rng.integers(0, 256, _run(rng), dtype=np.uint8).tobytes()


Damage = Callable[[bytes, int, Generator], bytes]
KINDS: tuple[Damage, ...] = (
    flipped_bit,
    changed_bytes,
    zeroed_run,
    removed_run,
    inserted_run,
    swapped_runs,
    cut,
    cut_with_end,
    changed_header,
    garbage_behind,
)
"""``(bytes, length of the header, generator)`` → damaged bytes; all but :func:`changed_header` leave the header alone."""
