"""Films from 4 senders while every role is killed again and again: nothing acknowledged is lost, nothing is assessed twice.

300 films and ten kills a role with ``make soak``, about half of that otherwise.
"""

import gc
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from pynetdicom.association import Association

from tests.integration.conftest import Serve
from tests.integration.modality import associate
from tests.integration.objects import digest_of, film, sop_uid
from tests.integration.service import Service, until
from tests.size import size
from triage.dimse.requestor import steady

SENDERS, FILMS, ROUNDS = 4, size(56, 300), size(2, 10)
VICTIMS = ("intake", "worker", "scheduler", "web")  # the web last: it is /readyz that shows the other deaths
KILLS = ROUNDS * len(VICTIMS)
SHARE = FILMS // SENDERS
UP_WITHIN, SEEN_WITHIN, SENT_WITHIN, ASSESSED_WITHIN = 60, 30, 90, 60
RETRY_EVERY = 0.1


class Sender(threading.Thread):
    """Sends its films in step with the kills, each again until it is acknowledged."""

    def __init__(self, service: Service, numbers: range, file: Path, kills: list[str]) -> None:
        super().__init__(name=f"sender {numbers.start}")
        self.service, self.numbers, self.file, self.kills = service, numbers, file, kills
        self.association: Association | None = None
        self.acknowledged: dict[str, str] = {}
        self.retries = 0

    def run(self) -> None:
        for place, number in enumerate(self.numbers):
            until(lambda place=place: len(self.kills) * SHARE > place * KILLS, 300, "the next kill")
            self.file.write_bytes(film(number))
            until(self._store, SENT_WITHIN, f"film {number} acknowledged", every=RETRY_EVERY)
            self.acknowledged[sop_uid(number)] = digest_of(film(number))
        if self.association is not None and self.association.is_established:
            self.association.release()

    def _store(self) -> bool:
        if self.association is None or not self.association.is_established:
            self.association = associate(self.service.dimse_port)
        try:
            if steady(self.association).send_c_store(self.file).get("Status") == 0x0000:
                return True
        except RuntimeError:  # there is no association, or it has just ended
            pass
        self.retries += 1
        return False


def kill(service: Service, role: str) -> str:
    """``kill -9``; returns once /readyz has told of it."""
    before = service.role(role)
    assert before is not None
    os.kill(before["pid"], signal.SIGKILL)

    def told() -> str:
        answer = service.readyz()
        found = [reason for reason in answer.get("reasons", []) if reason.startswith(f"{role}: died (exit code -9)")]
        if role == "web":  # it tells of its own death once it is back
            found = [
                f"web: restart {one['restarts']}" for one in answer.get("roles", []) if one["restarts"] > before["restarts"]
            ]
            found = found if service.pid("web") not in (0, before["pid"]) else []
        return found[0] if found else ""

    return until(told, SEEN_WITHIN, f"the death of {role} at /readyz")


# pynetdicom leaves the socket of a refused connection to the collector: it is collected here, not in another test
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_nothing_acknowledged_is_lost_and_nothing_assessed_twice(serve: Serve, tmp_path: Path) -> None:
    service = serve(network=True, settings={"worker__lease": "3 s"})
    begun, chance, kills, told = time.monotonic(), random.Random(7), list[str](), list[str]()
    shares = [range(1 + number * SHARE, 1 + (number + 1) * SHARE) for number in range(SENDERS)]
    senders = [Sender(service, share, tmp_path / f"sender{share.start}.dcm", kills) for share in shares]
    for sender in senders:
        sender.start()

    def acknowledged() -> int:
        return sum(len(sender.acknowledged) for sender in senders)

    for _ in range(ROUNDS):
        for role in VICTIMS:
            until(lambda role=role: service.is_up(role), UP_WITHIN, f"{role} up")
            kills.append(role)  # the senders go on …
            enough = min(acknowledged() + chance.randrange(6), len(kills) * FILMS // KILLS)
            until(lambda enough=enough: acknowledged() >= enough, SENT_WITHIN, "films on their way")
            told.append(kill(service, role))  # … and this falls among their films
    for sender in senders:
        sender.join(SENT_WITHIN)
        sender.association = None
    gc.collect()
    until(lambda: not service.rows("SELECT 1 FROM job WHERE state <> 'done'"), ASSESSED_WITHIN, "every study assessed")

    sent = {uid: digest for sender in senders for uid, digest in sender.acknowledged.items()}
    stored = {row["sop_instance_uid"]: row["digest"] for row in service.rows("SELECT * FROM instance")}
    assessed = service.rows("SELECT study_instance_uid, bundle_id, count(*) AS times FROM outcome GROUP BY 1, 2")
    account = service.verify()  # reads every digest again
    print(
        f"{len(told)} kills, /readyz told of {len(told)}; acknowledged {len(sent)} after {sum(s.retries for s in senders)} "
        f"retries, present by digest {len(sent.items() & stored.items())}, assessed once {len(assessed)}; "
        f"{time.monotonic() - begun:.0f} s"
    )
    assert len(told) == KILLS
    assert len(sent) == FILMS
    assert stored == sent
    assert [row["times"] for row in assessed] == [1] * FILMS
    assert all(row["bundle_id"] for row in assessed), "each by the network, none set aside"
    assert (account["acknowledged"], account["assessed"], account["gaps"]) == (FILMS, FILMS, [])
    assert len(service.rows("SELECT 1 FROM study")) == FILMS
    until(lambda: service.readyz().get("ready"), UP_WITHIN, "ready again")
    service.stop()
