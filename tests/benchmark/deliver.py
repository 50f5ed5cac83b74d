"""``python -m tests.benchmark deliver [--quick]``: how fast results reach a PACS, a real Orthanc on this machine."""

import os
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import structlog

from tests.films import film
from tests.integration.test_commitment_orthanc import free_ports, orthanc
from tests.unit.services.world import World
from triage.bootstrap import Site, note_destinations, open_site
from triage.bootstrap.transports import transport_of
from triage.clock import utc_now
from triage.config import load
from triage.publisher import Publisher

SETTINGS = """
[[destinations]]
name = "pacs"
kind = "dicom"
to = "ORTHANC@127.0.0.1:{port}"
"""
NAME = "pacs"
ENDED_WITHIN = 60.0
LOOK = 0.0005


class Bench:
    """A home whose results go to Orthanc, with a worker whose network is in memory."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.world = World(site.archive, site.database)
        self._made = 0

    def say(self) -> None:
        """A film arrives and is assessed: one result, committed when this returns."""
        self._made += 1
        self.world.clock.now = utc_now()
        self.world.store(film(f"1.2.{self._made}", f"1.2.{self._made}.1"))
        assert self.world.step()

    def delivered(self) -> int:
        with self.site.database.read() as tx:
            return sum(one.delivered for one in tx.deliveries.destinations())

    def publisher(self, wait: object = None) -> Publisher:
        settings = self.site.settings.destinations[0]
        return Publisher(
            destination=NAME,
            transport=transport_of(self.site, settings),
            database=self.site.database,
            within=settings.within,
            clock=utc_now,
            chance=lambda: 0.0,
            **({"wait": wait} if wait else {}),  # type: ignore[arg-type]
        )


def throughput(bench: Bench, results: int) -> float:
    """Results a second, of a backlog."""
    for _ in range(results):
        bench.say()
    publisher = bench.publisher()
    began = time.perf_counter()
    while publisher.step():
        pass
    took = time.perf_counter() - began
    assert bench.delivered() == results
    return results / took


def latency(bench: Bench, results: int) -> list[float]:
    """Seconds from the commit of an assessment to the row that says that Orthanc has stored it, one at a time."""
    stop, took = threading.Event(), []
    with closing(bench.site.results_bell) as heard, closing(bench.site.results_bell) as bell:
        heard.listen()
        thread = threading.Thread(target=bench.publisher(heard.wait).run, args=(stop,))
        thread.start()
        for _ in range(results):
            before = bench.delivered()
            bench.say()
            began = time.perf_counter()
            bell.ring()
            while bench.delivered() == before:
                assert time.perf_counter() - began < ENDED_WITHIN
                time.sleep(LOOK)
            took.append(time.perf_counter() - began)
        stop.set()
        thread.join()
    return took


def main(quick: bool) -> None:
    """Measure, print Markdown."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    backlog, single = (20, 10) if quick else (200, 100)
    dicom_port, http_port, unused = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="triage-deliver-") as temporary:
        folder = Path(temporary)
        home = folder / "home"
        home.mkdir()
        (home / "triage.toml").write_text(SETTINGS.format(port=dicom_port))
        site = open_site(load(home=home, environment={}), create=True)
        note_destinations(site)
        with orthanc(folder / "orthanc", dicom_port, http_port, unused) as pacs:
            bench = Bench(site)
            rate = throughput(bench, backlog)
            took = sorted(latency(bench, single))
            stored = len(pacs.get("/instances"))
        site.database.close()
    centiles = statistics.quantiles(took, n=20, method="inclusive")
    print("| results to a local Orthanc, DICOM SR by C-STORE | |\n|---|---|")
    print(f"| results of a backlog of {backlog}, a second | {rate:.1f} |")
    print(f"| ms from assessment committed to stored, p50 of {single} | {1000 * centiles[9]:.0f} |")
    print(f"| p95 | {1000 * centiles[18]:.0f} |")
    print(f"\n{stored} of {backlog + single} results are in Orthanc; load average after: {os.getloadavg()[0]:.2f}")
    assert stored == backlog + single
