"""What a person decides on what was set aside: nothing is lost but by a decision, and a mark goes with its last cause."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.unit.database.stores import opened
from tests.unit.domain.make import POLICY
from tests.unit.services import planted
from tests.unit.services.world import RETRIES, MovingDatabase, World
from triage.archive.files import FileArchive
from triage.domain.audit import Action, AuditRecord
from triage.domain.doubt import Doubt
from triage.domain.errors import DataSetMismatch, DecisionRefused, IndexUnavailable
from triage.domain.instance import REPLACED, Decision, Instance, QuarantinedObject
from triage.domain.level import Level
from triage.domain.reading import LEASE, Step
from triage.domain.reason import Reason
from triage.services.quarantine import Deciding, discard, found, release
from triage.services.reading import take

FIRST = films.film(bright=0.1)
AGAIN = films.film(bright=0.9)
STRANGER = films.film(sop_uid="1.2.3.1.2", patient_id="P-2", patient_name="Roe^Ann")
OTHER_NAME = {"patient_name": "Dough^Jane"}
GREY = Deciding(by="dr grey", because="looked at SECRET^PATIENT")


@pytest.fixture(params=["memory", "files"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Both twins, with one film received and assessed."""
    if request.param == "memory":
        yield begun(World())
        return
    with opened("sql", tmp_path, RETRIES) as database:
        yield begun(World(FileArchive(tmp_path / "instances", 0), database))


def begun(world: World) -> World:
    world.store(FIRST)
    assess(world)
    return world


def assess(world: World) -> None:
    while world.step():
        pass


def refuse(world: World, content: bytes, **claims: Any) -> str:
    with pytest.raises(DataSetMismatch):
        world.store(content, **claims)
    assess(world)
    return films.digest(content)


def released(world: World, digest: str) -> Instance:
    world.clock.forward(minutes=5)
    return release(digest, GREY, archive=world.archive, database=world.database, head_starts=POLICY, clock=world.clock)


def discarded(world: World, digest: str) -> QuarantinedObject:
    world.clock.forward(minutes=5)
    return discard(digest, GREY, archive=world.archive, database=world.database, head_starts=POLICY, clock=world.clock)


def row(world: World, digest: str) -> QuarantinedObject:
    with world.database.read() as tx:
        one = tx.quarantined_object(digest)
    assert one is not None
    return one


def decisions(world: World) -> list[AuditRecord]:
    with world.database.read() as tx:
        return [record for record in tx.audit() if record.action == Action.QUARANTINE.value]


def kept(world: World) -> list[str]:
    return sorted(world.archive.digests())


def aside(world: World) -> list[str]:
    return sorted(world.archive.digests_aside())


# release


def test_a_film_whose_command_set_lied_joins_its_study(world: World) -> None:
    second = films.film(sop_uid="1.2.3.1.2", bright=0.1)
    digest = refuse(world, second, sop_instance_uid="9.9")
    assert world.study().reason is Reason.FILM_SET_ASIDE
    arrived = row(world, digest).received_at
    instance = released(world, digest)
    assert (instance.sop_instance_uid, instance.digest, instance.received_at) == ("1.2.3.1.2", digest, arrived)
    assert (world.study().images, world.study().network_level, world.study().doubt) == (2, Level.PENDING, None)
    assess(world)
    assert (world.study().network_level, world.study().images_covered) == (Level.NOT_FLAGGED, 2)
    assert (kept(world), aside(world)) == (sorted((digest, films.digest(FIRST))), [])
    assert world.gaps() == {}


def test_a_film_of_a_study_that_is_not_on_the_list_begins_it(world: World) -> None:
    digest = refuse(world, films.film("1.9", "1.9.1.1", bright=0.1), sop_instance_uid="9.9")
    released(world, digest)
    assess(world)
    assert (world.study("1.9").network_level, world.study("1.9").doubt) == (Level.NOT_FLAGGED, None)
    assert world.study("1.9").arrived_at == row(world, digest).received_at
    assert world.gaps() == {}


def test_other_bytes_take_the_place_of_the_first_which_is_set_aside(world: World) -> None:
    digest = refuse(world, AGAIN)
    released(world, digest)
    assert (world.study().network_level, world.study().doubt) == (Level.PENDING, None)
    assess(world)
    assert (world.study().network_level, world.study().images) == (Level.FLAGGED, 1)
    assert (kept(world), aside(world)) == ([digest], [films.digest(FIRST)])
    first = row(world, films.digest(FIRST))
    assert (first.cause, first.decision, first.marks) == (REPLACED, None, False)
    assert world.gaps() == {}


def test_the_first_can_be_put_back_and_what_was_said_of_it_counts_again(world: World) -> None:
    before = world.study()
    digest = refuse(world, AGAIN)
    released(world, digest)
    assess(world)
    released(world, films.digest(FIRST))
    assess(world)
    after = world.study()
    assert (after.network_level, after.probability, after.assessed_at) == (
        before.network_level,
        before.probability,
        before.assessed_at,
    )
    assert (kept(world), aside(world)) == ([films.digest(FIRST)], [digest])
    assert world.gaps() == {}


def test_a_corrected_name_is_the_studys_name_then(world: World) -> None:
    digest = refuse(world, films.film(bright=0.1, **OTHER_NAME))
    released(world, digest)
    assess(world)
    assert (world.study().facts.patient_name, world.study().doubt) == ("Dough^Jane", None)


def test_names_that_differ_stay_a_mark_when_another_is_lifted(world: World) -> None:
    world.store(films.film(sop_uid="1.2.3.1.2", bright=0.1, **OTHER_NAME))
    assess(world)
    assert world.study().doubt is Doubt.NAMES_DIFFER
    digest = refuse(world, AGAIN)
    discarded(world, digest)
    assert (world.study().doubt, world.study().network_level) == (Doubt.NAMES_DIFFER, Level.NOT_FLAGGED)


@pytest.mark.parametrize(
    ("content", "claims", "remedy"),
    [
        (STRANGER, {}, "Study Instance UID of its own"),
        (films.film("1.9", "1.2.3.1.1"), {}, "UIDs of its own"),
    ],
    ids=["another patient", "another study's UID"],
)
def test_what_contradicts_a_study_is_refused_with_the_remedy(
    world: World, content: bytes, claims: dict[str, Any], remedy: str
) -> None:
    digest = refuse(world, content, **claims)
    before = world.study()
    with pytest.raises(DecisionRefused, match=remedy):
        released(world, digest)
    assert (world.study(), aside(world), decisions(world)) == (before, [digest], [])
    assert world.gaps() == {}


def test_a_conflict_that_is_gone_is_released(world: World) -> None:
    """The study had been known by a wrong name, and is known by the right one since its film was replaced."""
    known = films.film("1.5", "1.5.1", bright=0.1, patient_name="Wrong^Jane", PatientBirthDate="19800101")
    world.store(known)
    third = films.film("1.5", "1.5.2", bright=0.1, patient_name="Roe^Jane", PatientBirthDate="19700101")
    digest = refuse(world, third)
    with pytest.raises(DecisionRefused, match="another patient"):
        released(world, digest)
    half = films.film("1.5", "1.5.1", bright=0.1, patient_name="Roe^Jane", PatientBirthDate="19800101")
    released(world, refuse(world, half))
    released(world, digest)
    assert world.study("1.5").images == 2
    assert world.study("1.5").doubt is Doubt.NAMES_DIFFER
    assess(world)
    assert world.gaps() == {}


def test_damaged_or_unreadable_bytes_can_only_be_discarded(world: World) -> None:
    digest = planted.orphan(world, films.film("1.9", "1.9.1.1", StudyInstanceUID=None))
    world.reconcile()
    with pytest.raises(DecisionRefused, match="discard it"):
        released(world, digest)
    discarded(world, digest)
    assert (aside(world), world.gaps()) == ([], {})


def test_a_film_that_came_well_later_is_released_without_a_second_copy(world: World) -> None:
    second = films.film(sop_uid="1.2.3.1.2", bright=0.1)
    digest = refuse(world, second, sop_instance_uid="9.9")
    world.store(second)
    assess(world)
    assert world.study().doubt is Doubt.FILM_SET_ASIDE
    released(world, digest)
    assert (world.study().doubt, world.study().network_level, world.study().images) == (None, Level.NOT_FLAGGED, 2)
    assert (len(kept(world)), aside(world), world.gaps()) == (2, [], {})


def test_releasing_a_film_mends_the_kept_one(world: World) -> None:
    second = films.film(sop_uid="1.2.3.1.2", bright=0.1)
    digest = refuse(world, second, sop_instance_uid="9.9")
    world.store(second)
    if isinstance(world.archive, FileArchive):
        world.archive.path(digest).write_bytes(second[:-1])
    else:
        world.archive.objects[digest] = second[:-1]  # type: ignore[attr-defined]
    with pytest.raises(DecisionRefused, match="release it"):
        discarded(world, digest)
    released(world, digest)
    assert world.archive.is_intact(digest)
    assert len(aside(world)) == 1, "the damaged bytes"
    assert world.gaps() == {}


# discard, and the mark


def test_what_is_discarded_is_gone_and_its_row_says_who_when_and_why(world: World) -> None:
    digest = refuse(world, STRANGER)
    discarded(world, digest)
    one = row(world, digest)
    assert (one.decision, one.decided_by, one.because) == (Decision.DISCARDED, "dr grey", GREY.because)
    assert one.decided_at == world.clock()
    assert (kept(world), aside(world)) == ([films.digest(FIRST)], [])
    assert world.gaps() == {}


def test_the_last_decision_lifts_the_mark_and_places_the_study_anew(world: World) -> None:
    before = world.study()
    first, second = refuse(world, STRANGER), refuse(world, AGAIN)
    assert world.study().doubt is Doubt.IDENTITY_CONFLICT
    discarded(world, first)
    assert world.study().doubt is Doubt.IDENTITY_CONFLICT, "one is undecided"
    discarded(world, second)
    assert world.study() == before


def test_both_studies_that_one_object_made_doubtful_are_free_again(world: World) -> None:
    world.store(films.film("1.9", "1.9.1.1", bright=0.1, patient_id="P-9"))
    digest = refuse(world, films.film("1.9", "1.2.3.1.1", bright=0.9, patient_id="P-9"))
    assert [world.study(uid).doubt for uid in ("1.2.3", "1.9")] == [Doubt.IDENTITY_CONFLICT, Doubt.FILM_SET_ASIDE]
    discarded(world, digest)
    assert [world.study(uid).doubt for uid in ("1.2.3", "1.9")] == [None, None]
    assert [world.study(uid).network_level for uid in ("1.2.3", "1.9")] == [Level.NOT_FLAGGED, Level.NOT_FLAGGED]


def test_a_lifted_flag_is_still_a_flag_and_a_read_study_still_read(world: World) -> None:
    world.store(films.film("1.9", "1.9.1.1", bright=0.9))
    digest = refuse(world, films.film("1.9", "1.9.1.1", bright=0.1))
    take(world.database, "1.9", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
    discarded(world, digest)
    assert (world.study("1.9").network_level, world.study("1.9").doubt) == (Level.FLAGGED, None)
    assert world.list() == ["1.2.3"]


def test_a_study_that_was_read_comes_back_when_a_film_joins_or_replaces(world: World) -> None:
    digest = refuse(world, AGAIN)
    take(world.database, "1.2.3", Step(action=Action.READ, actor="dr"), POLICY, world.clock, LEASE)
    released(world, digest)
    assert world.list() == ["1.2.3"]


def test_what_was_discarded_and_comes_again_is_set_aside_again(world: World) -> None:
    digest = refuse(world, AGAIN)
    discarded(world, digest)
    refuse(world, AGAIN)
    assert (row(world, digest).decision, aside(world)) == (None, [digest])
    assert world.study().doubt is Doubt.FILM_SET_ASIDE
    assert world.gaps() == {}


def test_what_was_replaced_and_comes_again_is_refused_and_marks_nothing(world: World) -> None:
    digest = refuse(world, AGAIN)
    released(world, digest)
    assess(world)
    refuse(world, FIRST)
    assert (world.study().doubt, kept(world), aside(world)) == (None, [digest], [films.digest(FIRST)])
    assert world.gaps() == {}


# who, and what if it fails


def test_a_release_that_was_killed_before_its_rows_is_undone_at_the_next_start(world: World) -> None:
    digest = refuse(world, films.film(sop_uid="1.2.3.1.2", bright=0.1), sop_instance_uid="9.9")
    world.archive.take_back(digest)
    assert world.reconcile().quarantined == [digest]
    assert (kept(world), aside(world), world.study().images) == ([films.digest(FIRST)], [digest], 1)
    assert world.gaps() == {}


def test_a_replacement_that_was_killed_after_its_rows_is_finished_at_the_next_start(world: World) -> None:
    digest = refuse(world, AGAIN)
    released(world, digest)
    assess(world)
    world.archive.take_back(films.digest(FIRST))
    assert world.reconcile().quarantined == [films.digest(FIRST)]
    assert (kept(world), aside(world)) == ([digest], [films.digest(FIRST)])
    assert world.gaps() == {}


def test_a_discard_that_was_killed_after_its_row_is_finished_at_the_next_start(world: World) -> None:
    digest = planted.aside(world, films.film("1.9", "1.9.1.1"))
    world.reconcile()
    with world.database.write() as tx:
        tx.decide(digest, Decision.DISCARDED, world.clock(), "dr", "x")
    assert world.reconcile().discarded == [digest]
    assert (aside(world), world.gaps()) == ([], {})


def test_a_decision_is_audited_without_its_words(world: World) -> None:
    one, other = refuse(world, AGAIN), refuse(world, STRANGER)
    released(world, one)
    discarded(world, other)
    told = [(record.actor, record.subject, record.entry.details["decision"]) for record in decisions(world)]
    assert told == [("dr grey", "1.2.3", "released"), ("dr grey", "1.2.3", "discarded")]
    assert [record.entry.details["digest"] for record in decisions(world)] == [one, other]
    assert "SECRET" not in str(decisions(world))


@pytest.mark.parametrize("deciding", [Deciding(by=" ", because="x"), Deciding(by="x", because="\n")])
def test_nobody_decides_namelessly_or_without_a_reason(world: World, deciding: Deciding) -> None:
    digest = refuse(world, AGAIN)
    for step in (release, discard):
        with pytest.raises(DecisionRefused, match="who decides and why"):
            step(digest, deciding, archive=world.archive, database=world.database, head_starts=POLICY, clock=world.clock)


@pytest.mark.parametrize("step", [released, discarded])
def test_nothing_is_decided_twice(world: World, step: Any) -> None:
    digest = refuse(world, AGAIN)
    step(world, digest)
    for again in (released, discarded):
        with pytest.raises(DecisionRefused, match="triage quarantine"):
            again(world, digest)


def test_an_object_is_found_by_the_beginning_of_its_digest(world: World) -> None:
    digest = refuse(world, AGAIN)
    with world.database.read() as tx:
        assert found(tx, digest[:8]).digest == digest
        for wrong in ("", "zz", films.digest(FIRST)):
            with pytest.raises(DecisionRefused):
                found(tx, wrong)


def test_a_database_that_is_away_leaves_the_object_where_it_was() -> None:
    world = begun(World(database=Fails(RETRIES)))
    digest = refuse(world, AGAIN)
    assert isinstance(world.database, Fails)
    before = (kept(world), aside(world), world.study())
    for step in (released, discarded):
        world.database.fails = True
        with pytest.raises(IndexUnavailable):
            step(world, digest)
        world.database.fails = False
        assert (kept(world), aside(world), world.study()) == before
    assert world.gaps() == {}


class Fails(MovingDatabase):
    """The twin, whose commits can be told to fail."""

    fails = False

    def write(self) -> Any:  # type: ignore[override]
        return _Failing(super().write()) if self.fails else super().write()


class _Failing:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(self, *error: Any) -> Any:
        failed = IndexUnavailable("the commit was not to be had")
        self._inner.__exit__(type(failed), failed, None)
        raise failed
