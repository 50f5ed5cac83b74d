"""Verdicts leave the site with their films and without anybody's name; what cannot leave is counted."""

from collections import Counter
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from pydicom import dcmread

from tests import films
from tests.unit.services.world import World
from triage.archive.memory import MemoryArchive
from triage.domain.identifiers import digest_of
from triage.domain.study import Reading, ReadingState
from triage.domain.verdict import NoLabel
from triage.services.export import Exported, NoFilm, export

SALT = b"s" * 32


def read(world: World, uid: str, verdict: str | None = "agree", reader: str = "Dr Grey") -> None:
    """A reader finishes the study."""
    with world.database.write() as tx:
        found = tx.study(uid)
        assert found is not None
        now = world.clock()
        reading = Reading(state=ReadingState.READ, reader=reader, since=now, verdict=verdict, verdict_at=now)
        tx.put_study(replace(found, reading=reading))


def assessed(*images: bytes) -> World:
    """A site that received and assessed these films."""
    world = World()
    for image in images:
        world.store(image)
    while world.step():
        pass
    world.clock.forward(hours=1)
    return world


def exported(world: World, salt: bytes = SALT, since: date | None = None) -> list[Exported | NoLabel | NoFilm]:
    return list(export(world.archive, world.database, salt, since))


def one(world: World, salt: bytes = SALT) -> Exported:
    (found,) = exported(world, salt)
    assert isinstance(found, Exported)
    return found


def test_a_row_says_what_was_found_and_not_of_whom() -> None:
    world = assessed(films.film(bright=0.75))
    read(world, "1.2.3", "disagree")
    found = one(world)
    row = found.row
    assert (row.label, row.level, row.model, row.read_at) == ("normal", "flagged", "memory@1+00000000", "2026-03-02")
    assert row.probability == pytest.approx(0.75, abs=0.02)
    assert row.file == f"films/{digest_of(found.film)}.dcm"
    assert dcmread(BytesIO(found.film)).PixelData == dcmread(BytesIO(films.film(bright=0.75))).PixelData
    everything = repr(row).encode() + found.film
    for secret in (b"P-1", b"Doe", b"Grey", b"ACC-1", b"1.2.3", b"08:"):
        assert secret not in everything


def test_keys_are_the_same_under_one_salt_and_others_under_another() -> None:
    world = assessed(
        films.film("1.2.3", "1.2.3.1.1", bright=0.75),
        films.film("1.2.4", "1.2.4.1.1", bright=0.25),
        films.film("1.2.5", "1.2.5.1.1", bright=0.5, patient_id="P-2"),
    )
    for uid in ("1.2.3", "1.2.4", "1.2.5"):
        read(world, uid)
    first, again, other = (exported(world, salt) for salt in (SALT, SALT, b"t" * 32))
    assert first == again
    rows = [found.row for found in first if isinstance(found, Exported)]
    assert [row.patient == rows[0].patient for row in rows] == [True, True, False]
    assert len({row.study for row in rows}) == 3
    assert {row.reader for row in rows} == {rows[0].reader}
    foreign = [found.row for found in other if isinstance(found, Exported)]
    for mine, theirs in zip(rows, foreign, strict=True):
        keys = [{row.patient, row.study, row.reader, row.file} for row in (mine, theirs)]
        assert not keys[0] & keys[1]


def test_the_film_is_the_one_that_the_level_rests_on() -> None:
    suspicious = films.film(sop_uid="1.2.3.1.2", bright=0.8)
    world = assessed(films.film(sop_uid="1.2.3.1.1", bright=0.2), suspicious, films.film(sop_uid="1.2.3.1.3", bright=0.4))
    read(world, "1.2.3")
    assert dcmread(BytesIO(one(world).film)).PixelData == dcmread(BytesIO(suspicious)).PixelData


def test_what_is_left_out_has_a_reason() -> None:
    world = assessed(
        films.film("1.2.1", "1.2.1.1.1"),
        films.film("1.2.2", "1.2.2.1.1", patient_id=None),
        films.film("1.2.3", "1.2.3.1.1", BurnedInAnnotation="YES"),
        films.film("1.2.4", "1.2.4.1.1", view="LL"),
        films.film("1.2.5", "1.2.5.1.1", bright=0.6),
        films.film("1.2.6", "1.2.6.1.1", bright=0.7),
    )
    for uid in ("1.2.2", "1.2.3", "1.2.4", "1.2.5"):
        read(world, uid)
    read(world, "1.2.6", None)
    assert isinstance(world.archive, MemoryArchive)
    del world.archive.objects[films.digest(films.film("1.2.5", "1.2.5.1.1", bright=0.6))]
    assert exported(world) == [
        NoLabel.UNREAD,
        NoFilm.NO_PATIENT,
        NoFilm.BURNT_IN,
        NoLabel.NOT_ASSESSED,
        NoFilm.MISSING,
        NoLabel.NO_VERDICT,
    ]


def test_since_a_day() -> None:
    world = assessed(films.film("1.2.3", "1.2.3.1.1", bright=0.75), films.film("1.2.4", "1.2.4.1.1", bright=0.25))
    read(world, "1.2.3")
    world.clock.forward(days=1)
    read(world, "1.2.4")
    kinds = Counter(type(found) for found in exported(world, since=date(2026, 3, 3)))
    assert kinds == {Exported: 1, NoFilm: 1}
    assert Counter(type(found) for found in exported(world, since=date(2026, 3, 2))) == {Exported: 2}


def test_a_late_image_takes_the_verdict_back() -> None:
    world = assessed(films.film(bright=0.75))
    read(world, "1.2.3")
    world.store(films.film(sop_uid="1.2.3.1.2", bright=0.9))
    assert exported(world) == [NoLabel.UNREAD]


def test_progress_is_told() -> None:
    world = assessed(films.film())
    told: list[tuple[int, int]] = []
    list(export(world.archive, world.database, SALT, progress=lambda done, total: told.append((done, total))))
    assert told == [(1, 1)]
