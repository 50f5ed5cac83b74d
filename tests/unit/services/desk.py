"""A database with a peer behind it: films come, outcomes and doubts, and what is said goes out."""

from dataclasses import dataclass, field
from datetime import timedelta

from tests.unit.domain.make import POLICY, Clock, instance, scored, study
from tests.unit.services.peer import Died, Peer
from triage.domain.assessment import Outcome
from triage.domain.delivery import Delivery, DeliveryState
from triage.domain.doubt import Doubt
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.result import Result
from triage.domain.study import with_doubt, with_image, with_outcome
from triage.services.ports import Database
from triage.services.publish import publish, register
from triage.services.results import place

WITHIN = timedelta(seconds=30)


@dataclass
class Desk:
    """A database with a peer behind it."""

    database: Database
    peer: Peer = field(default_factory=Peer)
    clock: Clock = field(default_factory=Clock)
    uid: str = "1.2.3"

    def __post_init__(self) -> None:
        register(self.database, ["pacs"], self.clock)
        self.arrive()

    def arrive(self, number: int = 1, uid: str | None = None) -> None:
        uid = uid or self.uid
        with self.database.write() as tx:
            before = tx.study(uid)
            place(tx, with_image(before, POLICY) if before else study(uid), self.clock())
            tx.add_instance(instance(uid, number, self.clock()))

    def assess(self, *probabilities: float, uid: str | None = None, outcome: Outcome | None = None) -> None:
        uid = uid or self.uid
        outcome = outcome or scored(uid, *probabilities, at=self.clock.forward(seconds=1))
        with self.database.write() as tx:
            tx.add_outcome(outcome)
            before = tx.study(uid)
            assert before is not None
            place(tx, with_outcome(before, outcome, POLICY), self.clock())

    def doubt(self, doubt: Doubt) -> None:
        with self.database.write() as tx:
            before = tx.study(self.uid)
            assert before is not None
            place(tx, with_doubt(before, doubt, POLICY), self.clock.forward(seconds=1))

    def results(self) -> list[Result]:
        with self.database.read() as tx:
            return tx.deliveries.results(self.uid)

    def words(self) -> list[tuple[Level, float | None, Reason | None]]:
        return [(one.level, one.probability, one.reason) for one in self.results()]

    def send(self, reached: str | None = None) -> bool:
        """One step; it dies behind the step ``reached``."""

        def die(step: str) -> None:
            if step == reached:
                raise Died

        return publish(self.database, "pacs", self.peer, WITHIN, self.clock, lambda: 1.0, die)

    def drain(self) -> None:
        while self.send():
            pass

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as tx:
            return list(reversed(tx.deliveries.deliveries()))

    def states(self) -> list[DeliveryState]:
        return [one.state for one in self.deliveries()]
