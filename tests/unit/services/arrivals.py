"""Studies whose films arrive in any order, also while the network is at work; and what must be true in the end."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import films
from tests.unit.services.words import wrong_words
from tests.unit.services.world import World
from triage.domain.doubt import Doubt
from triage.domain.errors import DataSetMismatch
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.inference.memory import MemoryClassifier

UID = "1.2.3"
FRONTAL = ("faint", "doubtful", "dense")
KINDS: dict[str, dict[str, Any]] = {
    "faint": {"bright": 0.1},
    "doubtful": {"bright": 0.3},
    "dense": {"bright": 0.8},
    "lateral": {"bright": 0.9, "view": "LL"},
    "child": {"bright": 0.1, "age": "009Y"},
    "hand": {"bright": 0.9, "body_part": "HAND"},
    "several frames": {"NumberOfFrames": 3},
    "colour": {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
    "no pixels": {"PixelData": None},
    "cut off": {"Rows": 4000},
    "another patient": {"patient_id": "P-2", "bright": 0.9},
    "another version": {"bright": 0.6},
    "nobody's": {"patient_id": None, "patient_name": None, "bright": 0.1},
}
BLOCKS: dict[str, Reason] = {
    "child": Reason.PAEDIATRIC,
    "hand": Reason.NOT_A_CHEST_FILM,
    "several frames": Reason.MULTI_FRAME,
    "colour": Reason.NOT_GRAYSCALE,
    "no pixels": Reason.NO_IMAGE,
    "cut off": Reason.CANNOT_DECODE,
}
DOUBTS = {
    "another patient": Doubt.IDENTITY_CONFLICT,
    "another version": Doubt.FILM_SET_ASIDE,
    "nobody's": Doubt.NAMES_DIFFER,
}


@cache
def film(kind: str, number: int) -> bytes:
    """The ``number``-th film of the study; *another version* has the UID of the first."""
    number = 1 if kind == "another version" else number
    return films.film(UID, f"{UID}.1.{number}", rows=32, columns=32, **KINDS[kind])


class Interrupted(MemoryClassifier):
    """A network during whose work films arrive."""

    def __init__(self, course: "Course") -> None:
        super().__init__()
        self.course = course

    def probability(self, tensor: NDArray[np.float32]) -> float:
        self.course.meanwhile()
        return super().probability(tensor)


@dataclass
class Course:
    """One study's life: ``first`` comes first, so that it is known whose the study is; then the others, in random order."""

    seed: int
    world: World = field(default_factory=World)
    flagged: bool = False
    resting: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        first = self.chance.choice([*FRONTAL, "faint", "lateral", "cut off"])
        others = self.chance.choices([*KINDS, *FRONTAL, "lateral"], k=self.chance.randrange(5))
        self.kinds = [first, *others]
        self.films = [film(kind, number) for number, kind in enumerate(self.kinds, 1)]
        later = list(self.films[1:])
        later += [one for one in self.films if self.chance.random() < 0.2]  # sent twice
        self.chance.shuffle(later)
        self.waiting = [self.films[0], *later]
        self.world.classifier = Interrupted(self)

    def run(self) -> "Course":
        while self.waiting:
            self.arrive()
            while self.chance.random() < 0.5:
                self.step()
        while self.step():
            pass
        return self

    def arrive(self) -> None:
        with suppress(DataSetMismatch):
            self.world.store(self.waiting.pop(0))
        self.look()

    def meanwhile(self) -> None:
        while self.waiting and self.chance.random() < 0.4:
            self.arrive()

    def step(self) -> bool:
        self.world.clock.forward(microseconds=1)  # no two assessments are of the same moment
        busy = self.world.step()
        self.look()
        return busy

    def look(self) -> None:
        """What must hold at every moment: a flag stays; nothing rests while a film blocks or was not seen."""
        study = self.world.study()
        assert not self.flagged or study.network_level is Level.FLAGGED, "a flag was taken back"
        self.flagged = study.network_level is Level.FLAGGED
        assert wrong_words(self.world.database) == [], "the last result says something else"
        if study.network_level not in (Level.NOT_FLAGGED, Level.OUT_OF_SCOPE):
            return
        self.resting += 1
        with self.world.database.read() as tx:
            present = {one.digest for one in tx.instances(UID)}
            (*_, last) = tx.outcomes(UID)
            assert last.considered == present, "it rests on fewer images than it has"
            assert not tx.set_aside_of(UID), "it rests although a film was set aside"
            assert not [one for one in last.excuses if one.reason.blocks and not one.out_of_scope], "it rests on an excuse"

    def wrong(self) -> list[str]:
        """What is not as the set of films has it, whatever order they came in; empty: all is well."""
        world, study = self.world, self.world.study()
        kept = {films.digest(one): kind for one, kind in zip(self.films, self.kinds, strict=True)}
        refused = {digest for digest, kind in kept.items() if kind in ("another patient", "another version")}
        with world.database.read() as tx:
            outcomes, state = tx.outcomes(UID), tx.jobs.state_of(UID)
            present = {one.digest for one in tx.instances(UID)}
        level, reason, doubt = expected(self.kinds)
        scored = sum(kind in (*FRONTAL, "nobody's") for digest, kind in kept.items() if digest not in refused)
        checks = {
            "not every film is kept": present == set(kept) - refused,
            "not every refused film is set aside": set(world.archive.digests_aside()) == refused,
            "the last outcome is not about the final set": bool(outcomes) and outcomes[-1].considered == present,
            f"{study.network_level}, not {level}": study.network_level is level,
            f"{study.reason}, not {reason}": study.reason is reason,
            f"{study.doubt}, not {doubt}": study.doubt is doubt,
            "images covered": study.images_covered == (scored if study.probability is not None else 0),
            "the work is not done": state is JobState.DONE,
            "the account does not add up": world.gaps() == {},
        }
        return [what for what, right in checks.items() if not right]


def expected(kinds: list[str]) -> tuple[Level, Reason | None, Doubt | None]:
    """The level, reason and mark of a set of films, in any order: said anew here, in another way."""
    doubts = [DOUBTS[kind] for kind in kinds if kind in DOUBTS]
    doubt = max(doubts, key=list(Doubt).index, default=None)
    if "dense" in kinds:
        return Level.FLAGGED, None, doubt
    if doubt is not None and doubt.reason is not None:
        return Level.NOT_ASSESSED, doubt.reason, doubt
    blocking = [BLOCKS[kind] for kind in kinds if kind in BLOCKS]
    if blocking:
        return Level.NOT_ASSESSED, min(blocking, key=list(Reason).index), doubt
    if set(kinds) & {*FRONTAL, "nobody's"}:
        return Level.NOT_FLAGGED, None, doubt
    return Level.NOT_ASSESSED, Reason.LATERAL_VIEW, doubt
