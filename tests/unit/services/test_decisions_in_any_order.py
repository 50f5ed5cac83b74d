"""Films come, are decided on, damaged, read again, sent again, in any order: no bytes are lost but by a decision."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests import films
from tests.unit.domain.make import POLICY
from tests.unit.services.words import wrong_words
from tests.unit.services.world import World
from triage.archive.memory import MemoryArchive
from triage.domain.doubt import Doubt
from triage.domain.errors import BundleError, DataSetMismatch, DecisionRefused
from triage.domain.instance import Decision, QuarantinedObject
from triage.domain.jobs import JobState
from triage.domain.level import Level
from triage.inference.memory import MemoryClassifier
from triage.services.quarantine import Deciding, discard, release
from triage.services.scrub import scrub

STUDIES = ("1.1", "1.2")
FILMS = [
    films.film(study, f"1.7.{number}", rows=8, columns=8, bright=bright, **patient)
    for study in STUDIES
    for number in (1, 2)
    for bright in (0.1, 0.9)
    for patient in ({}, {"patient_name": "Dough^Jane"}, {"patient_id": "P-2", "patient_name": "Roe^Ann"})
]
"""Two studies that share two SOP Instance UIDs; dark and bright; the patient, another name, another patient."""
LOOKED = Deciding(by="dr", because="looked at")
OF_SET_ASIDE = (Doubt.FILM_SET_ASIDE, Doubt.IDENTITY_CONFLICT)


class Decisions(RuleBasedStateMachine):
    """``held`` are the data sets that the archive has taken, by digest; a decision to discard alone takes one out."""

    def __init__(self) -> None:
        super().__init__()
        self.archive = MemoryArchive()
        self.world = World(self.archive)
        self.held: dict[str, bytes] = {}

    def damaged(self) -> set[str]:
        """Indexed films whose bytes are not what they should be."""
        with self.world.database.read() as tx:
            return {one.digest for one in tx.all_instances() if not self.archive.is_intact(one.digest)}

    @rule(number=st.integers(0, len(FILMS) - 1), lies=st.booleans())
    def send(self, number: int, lies: bool) -> None:
        film = FILMS[number]
        claims = {"sop_instance_uid": "9.9"} if lies else {}
        self.world.clock.forward(seconds=1)
        digest = films.digest(film)
        try:
            self.world.store(film, **claims)
        except DataSetMismatch:
            with self.world.database.read() as tx:
                row = tx.quarantined_object(digest)
            if row is None or row.decision is not None or digest not in self.archive.aside:
                return  # one too many of its UID: the audit alone keeps its digest
        self.held[digest] = films.data_set_bytes(film)

    @rule()
    def assess(self) -> None:
        while self.world.step():
            pass

    @precondition(lambda self: self.undecided())
    @rule(data=st.data(), released=st.booleans())
    def decide(self, data: Any, released: bool) -> None:
        one = data.draw(st.sampled_from(self.undecided()))
        self.world.clock.forward(seconds=1)
        step = release if released else discard
        try:
            step(
                one.digest,
                LOOKED,
                archive=self.archive,
                database=self.world.database,
                head_starts=POLICY,
                clock=self.world.clock,
            )
        except DecisionRefused:
            assert released or one.digest in self.damaged()
            return
        if not released and one.digest not in self.archive.objects:
            self.held.pop(one.digest, None)

    @precondition(lambda self: self.archive.objects)
    @rule(data=st.data(), gone=st.booleans())
    def damage(self, data: Any, gone: bool) -> None:
        digest = data.draw(st.sampled_from(sorted(self.archive.objects)))
        content = self.archive.objects.pop(digest)
        if not gone:
            self.archive.objects[digest] = content[:-1] + bytes([content[-1] ^ 1])
        if digest not in self.archive.aside:
            self.held.pop(digest, None)

    @rule()
    def read_again(self) -> None:
        self.world.clock.forward(minutes=10)
        scrub(self.archive, self.world.database, POLICY, self.world.clock, 1 << 40)
        with self.world.database.read() as tx:
            assert {one.instance.digest for one in tx.faulty()} == self.damaged()

    @rule()
    def start_again(self) -> None:
        self.world.reconcile()

    def undecided(self) -> list[QuarantinedObject]:
        with self.world.database.read() as tx:
            return tx.quarantined()

    @invariant()
    def nothing_is_lost(self) -> None:
        for digest, data in self.held.items():
            places = [place[digest] for place in (self.archive.objects, self.archive.aside) if digest in place]
            assert places, "its bytes are nowhere"
            assert any(films.split(content)[1] == data for content in places)

    @invariant()
    def every_object_is_accounted_for_once(self) -> None:
        with self.world.database.read() as tx:
            indexed = {one.digest for one in tx.all_instances()}
            rows = {one.digest: one for one in tx.quarantined(decided=True)}
        undecided = {digest for digest, one in rows.items() if one.decision is None}
        assert set(self.archive.aside) == undecided
        assert set(self.archive.objects) <= indexed
        assert not any(one.decision is Decision.DISCARDED for digest, one in rows.items() if digest in self.archive.aside)

    @invariant()
    def marks_stand_as_long_as_their_cause(self) -> None:
        with self.world.database.read() as tx:
            for study in tx.worklist(include_read=True):
                uid = study.study_instance_uid
                images = {one.sop_instance_uid for one in tx.instances(uid)}
                causes = [
                    one
                    for one in tx.quarantined()
                    if one.marks and (one.study_instance_uid == uid or one.sop_instance_uid in images)
                ]
                assert not (study.doubt in OF_SET_ASIDE and not causes), "a mark outlasts its cause"
                if any(one.study_instance_uid == uid for one in causes) or tx.faulty(uid):
                    assert study.doubt is not None
                    assert study.doubt.reason is not None, "a study does not say what is amiss"
                if study.doubt is not None and study.doubt.reason is not None:
                    assert study.network_level not in (Level.NOT_FLAGGED, Level.OUT_OF_SCOPE)
                if study.network_level is Level.PENDING:
                    assert tx.jobs.state_of(uid) in (JobState.WAITING, JobState.RUNNING), "pending for ever"

    @invariant()
    def the_last_result_says_what_the_row_says(self) -> None:
        assert wrong_words(self.world.database) == []

    @rule(usable=st.booleans())
    def change_model(self, usable: bool) -> None:
        self.world.classifier = MemoryClassifier() if usable else BundleError("none")

    @invariant()
    def nothing_else_is_amiss(self) -> None:
        gaps = self.world.gaps()
        assert set(gaps) <= ({"digest_differs", "indexed_not_on_disk"} if self.damaged() else set()), gaps


Decisions.TestCase.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "30")),
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
TestDecisions = Decisions.TestCase
