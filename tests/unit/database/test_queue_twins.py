"""The same random operations on the in-memory and the SQL queue, side by side: every answer is the same."""

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.size import size
from tests.unit.database.stores import sql_database
from tests.unit.domain import make
from triage.database.memory import MemoryDatabase
from triage.domain.jobs import Job, RetryPolicy

UIDS = ("1.1", "1.2")
POLICY = RetryPolicy(max_attempts=2, lease=timedelta(seconds=10), first_backoff=timedelta(seconds=3))


class Twins(RuleBasedStateMachine):
    """Jobs once claimed are kept, so that workers which lost them speak too."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="triage-test-")
        self.memory, self.sql = MemoryDatabase(POLICY), sql_database(Path(self.folder), POLICY)
        self.now: datetime = make.NOW
        self.jobs: list[Job] = []
        for database in (self.memory, self.sql):
            with database.write() as tx:
                for uid in UIDS:
                    tx.put_study(make.study(uid))

    def both(self, question: str, *arguments: Any) -> Any:
        answers = []
        for database in (self.memory, self.sql):
            with database.write() as tx:
                answers.append(getattr(tx.jobs, question)(*arguments))
        assert answers[0] == answers[1], question
        return answers[0]

    @rule(seconds=st.sampled_from([0, 1, 3, 10, 25]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(uid=st.sampled_from(UIDS))
    def image_arrives(self, uid: str) -> None:
        self.both("enqueue", uid, self.now)

    @rule()
    def worker_claims(self) -> None:
        held = {job.study_instance_uid: job for job in self.jobs}
        job = self.both("claim", "w", self.now)
        if job:
            before = held.get(job.study_instance_uid)
            assert before is None or job.token > before.token
            self.jobs.append(job)

    @rule(step=st.sampled_from(["renew", "finish", "release"]), which=st.integers(0, 3))
    def worker_speaks(self, step: str, which: int) -> None:
        if which < len(self.jobs):
            self.both(step, self.jobs[-1 - which], self.now)

    @rule(which=st.integers(0, 3))
    def worker_fails(self, which: int) -> None:
        if which < len(self.jobs):
            self.both("retry", self.jobs[-1 - which], "Boom", self.now)

    @rule()
    def bell_rings(self) -> None:
        self.both("quarantine_exhausted", self.now)

    @invariant()
    def they_agree(self) -> None:
        self.both("depth")
        self.both("is_due", self.now)
        for uid in UIDS:
            self.both("state_of", uid)

    def teardown(self) -> None:
        self.sql.close()
        shutil.rmtree(self.folder)


TestTwins = Twins.TestCase
TestTwins.settings = settings(
    max_examples=size(25, 80), stateful_step_count=40, deadline=None, derandomize=True, phases=[Phase.generate]
)
