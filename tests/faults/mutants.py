"""B11: streams damaged on purpose, through the whole path: refused, or decoded to what changes no verdict."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tests.faults import damage, films
from tests.faults.path import Outcome, Path

SEED = 20261130


@dataclass(kw_only=True)
class Tally:
    """What came of the mutants of one transfer syntax.

    ``lethal``: the film is flagged when whole and ``not_flagged`` when damaged. ``silent``: ``not_flagged`` with other pixels.
    """

    tried: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    identical: int = 0
    other_flagged: int = 0
    silent: int = 0
    lethal: int = 0
    wrong: int = 0
    largest_change: float = 0.0
    largest_difference: int = 0
    scored_kinds: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, whole: Outcome, found: Outcome) -> None:
        self.tried += 1
        if found.probability is None:
            reason = found.reason or "?"
            self.refused[reason] += 1
            self.wrong += reason in ("killed", "timed out") or reason.startswith("raised")
            return
        if found.difference == 0:
            self.identical += 1
            self.wrong += found.probability != whole.probability
            return
        assert whole.probability is not None
        assert found.difference is not None
        self.scored_kinds[kind] += 1
        self.other_flagged += found.flagged
        self.silent += not found.flagged
        self.lethal += whole.flagged and not found.flagged
        self.largest_change = max(self.largest_change, abs(found.probability - whole.probability))
        self.largest_difference = max(self.largest_difference, found.difference)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def chosen(path: Path) -> list[str]:
    """The first sample film that the packaged network flags, the first that it does not, and of the flagged ones that with the
    lowest probability, which takes the least to be missed."""
    outcomes = {name: path.damaged((films.SAMPLES / name).read_bytes()) for name in films.names()}
    flagged = [name for name, outcome in outcomes.items() if outcome.flagged]
    others = [name for name, outcome in outcomes.items() if outcome.probability is not None and not outcome.flagged]
    weakest = min(flagged, key=lambda name: outcomes[name].probability or 1.0)
    return list(dict.fromkeys((flagged[0], others[0], weakest)))


def of_syntax(path: Path, syntax: str, names: list[str], count: int) -> Tally:
    """``count`` mutants at least, each kind of damage equally often on each film."""
    tally = Tally()
    rng = np.random.default_rng([SEED, *syntax.encode()])
    each = -(-count // (len(names) * len(damage.KINDS)))
    for name in names:
        film = films.film_in(name, syntax)
        whole = path.whole(film.file_object(film.stream))
        assert whole.probability is not None, f"{name} in {syntax} is refused when whole: {whole.reason}"
        for kind in damage.KINDS:
            for _ in range(each):
                tally.add(kind.__name__, whole, path.damaged(_mutant(film, kind, rng)))
    return tally


def _mutant(film: films.Film, kind: damage.Damage, rng: np.random.Generator) -> bytes:
    if film.header:
        return film.file_object(kind(film.stream, film.header, rng))
    # uncompressed: there is nothing but the data set around the cells, and how long they are
    data = film.file_object(film.stream)
    pixels = len(data) - len(film.stream)
    if kind is damage.changed_header:
        return kind(data, pixels, rng)
    if kind in (damage.cut, damage.cut_with_end, damage.garbage_behind):
        return kind(data, 132, rng)
    return kind(data[:pixels], 132, rng) + data[pixels:]


HEADINGS = (
    "transfer syntax | mutants | refused | killed or raised | identical | other pixels: flagged | not flagged | lethal | "
    "largest change of p | of a stored value | what was scored"
)


def row(name: str, tally: Tally) -> str:
    """A row of the table."""
    cells = (
        name,
        tally.tried,
        sum(tally.refused.values()),
        tally.wrong,
        tally.identical,
        tally.other_flagged,
        tally.silent,
        tally.lethal,
        f"{tally.largest_change:.4f}",
        tally.largest_difference,
        ", ".join(f"{kind} {count}" for kind, count in tally.scored_kinds.most_common()),
    )
    return f"| {' | '.join(map(str, cells))} |"
