"""The worker and its films, without the rest of the service: twenty films that kill their decoder, then twenty good ones."""

import time

from tests import films
from tests.integration.service import until
from tests.unit.sandbox.servers import server
from tests.unit.services.world import World
from triage.domain.reason import Reason
from triage.sandbox.child import Child
from triage.sandbox.films import SandboxFilms
from triage.services.assess import Budget

POISONS, OTHERS = 20, 20
PREPARE = """
from triage.sandbox.tasks import TASKS
from triage.imaging.header import read_dataset
does = read_dataset(film).get("ImageComments")
film.seek(0)
if does == "aborts":
    os.abort()
if does == "fills the memory":
    bytearray(1 << 36)
TASKS["prepare"](question, film, tell)
"""
LOADED = "from triage.sandbox.preload import preload\nimport triage.sandbox.tasks\npreload()\n"


def test_films_that_kill_their_decoder_cost_the_others_only_their_time() -> None:
    world = World()
    command = server(prepare=PREPARE)
    child = Child(60, 1 << 20, (*command[:2], LOADED + command[2]))
    opened = SandboxFilms(child)
    world.worker._films = opened
    world.worker._budget = Budget(film=600, study=600)  # none of these hangs, however busy the machine is
    kinds = ["aborts", "fills the memory"] * (POISONS // 2)
    for number, does in enumerate([*kinds, *[None] * OTHERS]):
        world.store(films.film(f"1.2.{number}", f"1.2.{number}.1.1", bright=0.1, ImageComments=does))
    until(opened.ready, 60, "the server is loaded")
    world.step()
    first, begun = child.pid, time.monotonic()
    while world.step():
        pass
    took = time.monotonic() - begun
    opened.close()
    studies = [world.study(f"1.2.{number}") for number in range(POISONS + OTHERS)]
    assert {study.reason for study in studies[:POISONS]} == {Reason.CANNOT_DECODE}
    assert all(study.probability is not None for study in studies[POISONS:])
    assert first is not None, "one server for all of them"
    print(f"{POISONS} poison films and {OTHERS} others: {1000 * took / (POISONS + OTHERS - 1):.0f} ms each")
