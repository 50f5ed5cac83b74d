"""What a gate says of films and of pictures made of them, a kind at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import progress, statistics
from training.gate import pictures
from training.gate.kinds import ACCEPTED, REFUSED, Kind
from training.manifest import DataSet, Film
from training.tensors import tensors
from triage.domain.opinion import Word
from triage.imaging.spec import PreprocessingSpec
from triage.inference.gate import Gate

SIDE = 512
"""Films are taken with sides of at most so many pixels: a piece of one is still sharper than the network's input."""

LEAST = 0.95
"""Share of films as they are that must pass, and of each kind of :data:`training.gate.kinds.REFUSED` that must not."""

Shares = dict[Word, float]


def looks(
    gate: Gate, data: DataSet, films: Sequence[Film], spec: PreprocessingSpec, seed: int
) -> dict[str, list[Shares | None]]:
    """By the name of each kind, film by film: how belief is shared; ``None`` where preprocessing refused the picture."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[Shares | None]] = {kind.name: [] for kind in (*ACCEPTED, *REFUSED)}
    found[ACCEPTED[0].name] = [gate.shares(one) for one in tensors(data, films, spec)]
    for film in progress.track(list(pictures.grey(data, films, SIDE, spec)), "the gate looks"):
        for kind in (*ACCEPTED[1:], *REFUSED):
            made = pictures.tensor(kind.make(film, rng), spec)
            found[kind.name].append(None if made is None else gate.shares(made))
    return found


def chest(shares: Sequence[Shares | None]) -> NDArray[np.float64]:
    """The belief in a chest film, (n,); 0 where preprocessing refused the picture."""
    return np.array([0.0 if one is None else one[Word.CHEST] for one in shares])


def table(gate: Gate, found: dict[str, list[Shares | None]]) -> list[dict[str, Any]]:
    """A row a kind: ``expected``, the share accepted or refused as it should be (``right``, a figure), the words, and the share
    of which the gate is certain that they are no chest film (``out_of_scope``)."""
    return [_row(gate, kind, found[kind.name]) for kind in (*ACCEPTED, *REFUSED)]


def asked(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a :func:`table` that must reach :data:`LEAST`."""
    return [row for row in figures if row["expected"] == "refused" or row["kind"] == ACCEPTED[0].name]


def _row(gate: Gate, kind: Kind, shares: Sequence[Shares | None]) -> dict[str, Any]:
    words = [gate.word(one) if one else None for one in shares]
    accepted = sum(word is Word.CHEST for word in words)
    wanted = kind.word is Word.CHEST
    said = {word.code: words.count(word) for word in Word if word in words}
    certain = sum(one is not None and gate.is_certain(one) for one in shares)
    return {
        "kind": kind.name,
        "expected": "accepted" if wanted else "refused",
        "right": statistics.proportion(accepted if wanted else len(words) - accepted, len(words)).as_dict(),
        "words": said | ({"no tensor": words.count(None)} if None in words else {}),
        "out_of_scope": certain,
    }
