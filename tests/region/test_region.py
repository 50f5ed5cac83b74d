"""PostgreSQL and roles on hosts of their own: whatever is killed, paused or cut off, N studies are N results."""

import signal
import threading
from collections.abc import Iterator

import pytest

from tests import postgres
from tests.integration.service import until
from tests.region.hosts import AVAILABLE
from tests.region.region import Region, region
from tests.size import size

pytestmark = pytest.mark.skipif(not (AVAILABLE and postgres.INSTALLED), reason="needs root, network namespaces and PostgreSQL")
EACH = size(20, 200)
WORKERS = 2
ASSESSED_WITHIN = 180.0


@pytest.fixture
def site() -> Iterator[Region]:
    with region() as one:
        for role in ("intake", "intake", "web", "scheduler", "scheduler", *("worker",) * WORKERS):
            one.add(role, stubbed=0.02 if role == "worker" else None).start()
        for node in (*one.of("intake"), *one.of("worker")):
            node.ready()
        yield one


def test_n_studies_are_n_results_whatever_happens(site: Region) -> None:
    to = site.balance()
    sent = 0

    def send() -> None:
        nonlocal sent
        site.send(to, sent + 1, EACH)
        sent += EACH

    send()
    site.wait_assessed(1, ASSESSED_WITHIN)

    first, second = site.of("worker")
    first.kill()  # with a study in its hands, or not
    send()
    first.start().ready()

    second.signal(signal.SIGSTOP)  # longer than its lease
    send()
    site.wait_assessed(sent - 1, ASSESSED_WITHIN)
    second.signal(signal.SIGCONT)

    first.host.unplug()  # its connection is cut, in whatever step
    send()
    first.host.plug()

    site.server.stop("immediate")
    site.server.start()
    send()

    site.of("scheduler")[0].kill()
    send()

    intake = site.of("intake")[0]
    sending = threading.Thread(target=send)
    sending.start()
    until(lambda: len(site.account.acknowledged) > sent + EACH // 4, 60, "it receives")
    intake.kill()  # with objects in its hands
    intake.start().ready()  # and puts right what it left while the other one receives
    sending.join()
    assert sent == EACH * 7
    site.wait_assessed(sent, ASSESSED_WITHIN)
    books = site.books(1, sent)
    print(f"sent {sent}: {books}; answers {dict(site.account.answers)}")
    assert books == {"studies": sent, "results": sent, "lost": 0, "not assessed": 0, "doubled": 0}
    until(lambda: site.of("scheduler")[1].logged("ringing"), 60, "the other scheduler rings")
    assert site.of("intake")[0].run("verify").returncode == 0
    for node in site.nodes[:2]:
        node.stop()
