"""An assessment that never ends costs the process, not the service."""

import subprocess
import sys
from pathlib import Path

from triage.worker import EXIT_HUNG

ROOT = Path(__file__).resolve().parents[2]
HANGING = """
import threading
from datetime import timedelta
from tests import films
from tests.unit.domain.make import POLICY
from tests.unit.services.world import World
from triage.inference.memory import MemoryClassifier
from triage.services.assess import Budget
from triage.worker import Worker

class Hanging(MemoryClassifier):
    def probability(self, tensor):
        threading.Event().wait()

world = World()
world.store(films.film())
network = Hanging()
worker = Worker(name="w", database=world.database, archive=world.archive, films=world.films, load=lambda: network,
                head_starts=POLICY, min_age_years=16, clock=world.clock, budget=Budget(study=0.1, image=0.1),
                hung_after=timedelta(milliseconds=100))
worker.run(threading.Event())
"""


def test_a_hung_assessment_ends_the_process_so_that_the_next_one_can_work() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], timeout=60, capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == EXIT_HUNG, done.stderr
