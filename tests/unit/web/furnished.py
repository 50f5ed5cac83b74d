"""A house with everything in it that a page can show: every level, claim, reading, prior, sender, model, account and record.

Whatever a person or a header brought is asked of ``tell(field, number)``, so that a test decides what the house is full of.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from tests.films import digest, film
from tests.unit.web import scene
from tests.unit.web.pictures import Room
from triage.database.passwords import Argon2
from triage.domain.account import Account, Role, Session, Token
from triage.domain.audit import Action, AuditEntry
from triage.domain.delivery import Receipt
from triage.domain.instance import Facts, QuarantinedObject
from triage.domain.level import Level
from triage.domain.reading import FinishedReading
from triage.domain.reason import Reason
from triage.domain.study import Reading, ReadingState, Study, begin, placed, with_image, with_outcome
from triage.domain.verdict import Verdict
from triage.services.accounts import Accounts
from triage.services.results import note_result
from triage.services.sessions import digest_of
from triage.web.identity import name_of

Tell = Callable[[str, int], str]
STUDIES = 12
DESTINATIONS = ("pacs", "ris", "research")
MINUTE = timedelta(minutes=1)
WORDS: dict[str, tuple[str, ...]] = {
    "patient_name": ("Okafor^Adaeze^N", "Lindqvist^Åsa", "Haddad^Karim=林^明", "Tanaka^Hiro"),
    "patient_birth_date": ("19690203", "19540930", "20010111"),
    "patient_sex": ("F", "M", "O"),
    "patient_age": ("057Y", "072Y", "025Y"),
    "study_description": ("Chest PA", "Chest AP portable", "Thorax 2 views"),
    "modality": ("DX", "CR"),
    "view": ("PA", "AP"),
    "issuer_of_patient_id": ("Elm Street Hospital",),
    "reader": ("dr-anders", "dr-lopez"),
    "note": ("small effusion left, compare with the prior", "rotated film"),
    "reason": ("called about the wrong side",),
    "sender": ("MODALITY", "PORTABLE3"),
    "model": ("gap6",),
    "version": ("1.0.0", "1.1.0"),
    "trouble": ("slow disk",),
    "peer_error": ("0xA900: data set does not match SOP class", "AE: unknown patient"),
    "peer_status": ("0x0000", "AA"),
}


def words(field: str, number: int) -> str:
    """What people write."""
    choices = WORDS.get(field)
    return choices[number % len(choices)] if choices else f"{field.replace('_', ' ')} {number}"


@cache
def small(study_uid: str, sop_uid: str, bright: float) -> bytes:
    """A film that every house has again."""
    return film(study_uid, sop_uid, rows=16, columns=16, bright=bright)


class House(Room):
    """The room, and what the application is made with. ``uids``: its studies."""

    def __init__(self, now: datetime, tell: Tell = words, studies: int = STUDIES) -> None:
        super().__init__()
        self.now, self.tell = now, tell
        self.uids = [f"1.2.{number}" for number in range(1, studies + 1)]
        secrets = count(1)
        self.accounts = Accounts(
            database=self.database,
            passwords=Argon2(time_cost=1, memory_cost=8),
            clock=lambda: now,
            secret=lambda: f"secret-{next(secrets)}",
        )
        for number, uid in enumerate(self.uids, start=1):
            self._study(number, f"1.3.{number}", now - number * timedelta(days=30))
            self._study(number, uid, now - number * 7 * MINUTE)
        self._people()
        self._deliveries()
        self._service()

    @property
    def options(self) -> dict[str, Any]:
        """For :func:`triage.web.app.create_app`: everything that can be switched on is."""
        return {
            "films": self.films,
            "accounts": self.accounts,
            "who": name_of,
            "viewer_url": "https://pacs.example/{patient_id}/{accession_number}",
            "destinations": DESTINATIONS,
            "heartbeat_limit": timedelta(hours=2),  # they beat once, for as long as a test lasts
        }

    def _study(self, number: int, uid: str, at: datetime) -> None:
        """A film is stored, the network speaks, somebody reads; which of it depends on the number."""
        tell = self.tell
        image = self.store(small(uid, f"{uid}.1", 0.25), at)
        other = small(uid, f"{uid}.2", 0.5)
        self.archive.objects[digest(other)] = other
        facts = Facts(**{name: tell(name, number) for name in Facts.__dataclass_fields__})
        model = replace(scene.MODEL, name=tell("model", number), version=tell("version", number))
        with self.database.write() as tx:
            study = begin(uid, facts, at, scene.POLICY)
            second = replace(
                image,
                sop_instance_uid=f"{uid}.2",
                digest=digest(other),
                calling_ae_title=tell("sender", number),
                received_at=at + MINUTE,
            )
            tx.add_instance(second)
            study = with_image(study, scene.POLICY)
            outcome = self._outcome(number, study, (image, second), at + MINUTE)
            if outcome is not None:
                outcome = replace(outcome, model=model)
                tx.add_outcome(outcome)
                study = with_outcome(study, outcome, scene.POLICY)
            if number % 7 == 3:
                study = placed(replace(study, stat=True), scene.POLICY)
            study = replace(study, reading=self._reading(number))
            tx.put_study(study)
            if study.reading.state is ReadingState.READ or number % 5 == 0:
                tx.add_reading(self._finished(number, study))
            tx.jobs.enqueue(uid, at)

    def _outcome(self, number: int, study: Study, images: tuple[Any, Any], at: datetime) -> Any:
        kinds = (Level.FLAGGED, Level.NOT_FLAGGED, Level.NOT_ASSESSED, Level.OUT_OF_SCOPE, Level.PENDING, Level.FLAGGED)
        kind, (first, second) = kinds[number % len(kinds)], images
        if kind is Level.PENDING:
            return None
        uid, out = study.study_instance_uid, kind is Level.OUT_OF_SCOPE
        excuse = scene.InstanceExcuse
        if kind in (Level.NOT_ASSESSED, Level.OUT_OF_SCOPE):
            reason = Reason.NOT_A_CHEST_FILM if out else Reason.CANNOT_DECODE
            excuses = [
                excuse(sop_instance_uid=one.sop_instance_uid, digest=one.digest, reason=reason, out_of_scope=out)
                for one in images
            ]
            return scene.combine(uid, scene.MODEL, [], excuses, at)
        score = scene.InstanceScore(
            sop_instance_uid=first.sop_instance_uid, digest=first.digest, probability=0.91 if kind is Level.FLAGGED else 0.12
        )
        lateral = excuse(sop_instance_uid=second.sop_instance_uid, digest=second.digest, reason=Reason.LATERAL_VIEW)
        return scene.combine(uid, scene.MODEL, [score], [lateral], at)

    def _reading(self, number: int) -> Reading:
        """Of four studies one is free, one claimed by the one who looks, one by another, one read."""
        kind, since = number % 4, self.now - 3 * MINUTE
        if kind == 0:
            return Reading()
        reader = "tester" if kind == 1 else self.tell("reader", number)
        if kind == 3 and number % 8 == 3:
            return Reading(
                state=ReadingState.READ, reader=reader, since=since, verdict=Verdict.DISAGREE.value, verdict_at=since
            )
        return Reading(state=ReadingState.CLAIMED, reader=reader, since=since, lease_until=self.now + timedelta(hours=2))

    def _finished(self, number: int, study: Study) -> FinishedReading:
        return FinishedReading(
            study_instance_uid=study.study_instance_uid,
            reader=self.tell("reader", number),
            read_at=self.now - 3 * MINUTE,
            verdict=Verdict.DISAGREE,
            note=self.tell("note", number),
            network_level=study.network_level,
            probability=study.probability,
            model=study.model,
        )

    def _people(self) -> None:
        """Accounts of every role, with sessions and tokens, and a record of every action."""
        tell, now = self.tell, self.now
        with self.database.write() as tx:
            for number, role in enumerate(Role, start=1):
                name = tell("account", number)
                tx.accounts.put_account(
                    Account(name=name, role=role, created_at=now - number * timedelta(days=9), disabled=number == 2)
                )
                tx.accounts.put_session(Session(digest=digest_of(f"s{number}"), account=name, signed_in_at=now, seen_at=now))
                tx.accounts.put_token(Token(digest=digest_of(f"t{number}"), account=name, issued_at=now))
            for number, action in enumerate([*Action] * (len(self.uids) // len(Action) + 1), start=1):
                details = {"reason": tell("reason", number), "what": tell("what", number)}
                subject = self.uids[number % len(self.uids)] if number % 3 else tell("subject", number)
                entry = AuditEntry(at=now, actor=tell("actor", number), action=action, subject=subject, details=details)
                tx.append_audit(entry)

    def _deliveries(self) -> None:
        """One destination took results, refused some; one does not answer; one is configured no more."""
        with self.database.write() as tx:
            tx.deliveries.register((*DESTINATIONS, "old-pacs"), self.now)
            for study in tx.worklist(include_read=True):
                note_result(tx, study, self.now)
        for name in ("pacs", "ris", "old-pacs"):
            number = 0
            with self.database.write() as tx:
                tx.deliveries.fan_out(name, self.now, 100)
                while name != "old-pacs" and (held := tx.deliveries.claim(name, self.now, self.now + MINUTE)):
                    number += 1
                    if name == "ris":
                        words = self.tell("peer_error", number)
                        tx.deliveries.put_off(held, words, self.now + MINUTE)
                        tx.deliveries.rest(name, words, self.now + MINUTE, self.now)
                    elif number % 3 == 0:
                        tx.deliveries.refused(held, self.tell("peer_error", number), self.now)
                    else:
                        tx.deliveries.delivered(held, Receipt(status=self.tell("peer_status", number)), self.now)

    def _service(self) -> None:
        """Every role beats, one in trouble; an object was set aside."""
        tell = self.tell
        for number in range(1, len(self.uids) + 1):
            with self.database.write() as tx:
                tx.add_quarantined(
                    QuarantinedObject(
                        digest=f"{number + 10**9:064x}",
                        sop_instance_uid=tell("quarantined_uid", number),
                        study_instance_uid=tell("quarantined_uid", number),
                        cause=tell("cause", number),
                        calling_ae_title=tell("sender", number),
                        received_at=self.now,
                    )
                )
        self.beat(1)

    def beat(self, number: int) -> None:
        """The roles beat; what ails them, and which model the worker names, are the texts of that number and the next."""
        worker = {"trouble": self.tell("trouble", number), "model": self.tell("model_label", number)}
        intake = {"trouble": self.tell("trouble", number + 1)}
        scene.put_roles(self.database, scene.roles(self.now, worker=worker, intake=intake))
