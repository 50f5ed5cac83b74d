"""``/metrics``: what the administrator's monitoring watches. Counts and times, never a patient or a UID.

One answer for all processes on all machines: what they counted (:mod:`triage.domain.figures`) and how the service stands both
lie in the database, so that any web process can be asked, and only one has to be.
"""

from collections.abc import Iterable, Iterator, Mapping

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

import triage
from triage.domain.errors import IndexUnavailable
from triage.domain.figures import FIGURES, OTHER, SENDERS, Figure, Key, Kind
from triage.domain.level import Level
from triage.domain.schedule import JobRun
from triage.web import health
from triage.web.site import Site
from triage.web.vitals import Vitals, examine

Labels = tuple[tuple[str, str], ...]


class ServiceCollector(Collector):
    """Asks the database at the moment it is asked; keeps nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        """Every family. While the database does not answer: only that it does not, and the room left."""
        vitals = examine(self._site)
        yield _gauge("triage_database_up", "1 when the database answers, else 0.", int(vitals.database_answers))
        yield _gauge(
            "triage_storage_free_bytes", "Room above the archive's floor; 0 or less: films are refused.", vitals.free_bytes
        )
        yield _build()
        yield from _readiness(vitals)
        if vitals.database_answers:
            yield from self._rows()
            yield from self._sizes()
            yield from _queue(vitals)
            yield from _roles(vitals)
            yield from _destinations(vitals)

    def _rows(self) -> Iterator[Metric]:
        try:
            with self._site.database.read() as tx:
                counts, set_aside, revision = tx.counts_by_level(), len(tx.quarantined()), tx.revision()
                counted, runs = tx.figures.all(), tx.leases.runs()
        except IndexUnavailable:
            return
        studies = GaugeMetricFamily("triage_unread_studies", "Unread studies on the list, by level.", labels=["level"])
        for level in Level:
            studies.add_metric([level.value], counts.get(level.value, 0))
        yield studies
        yield _gauge("triage_quarantined_objects", "Received objects that were set aside instead of indexed.", set_aside)
        yield _gauge("triage_worklist_revision", "Raised by every visible change of the list.", revision)
        yield from (_family(figure, _of(figure, counted)) for figure in FIGURES.values())
        yield from _jobs(runs.values())

    def _sizes(self) -> Iterator[Metric]:
        database, log = self._site.watched.database_bytes()
        yield _gauge("triage_database_size_bytes", "What the database takes on its disk.", database)
        if log is not None:
            yield _gauge("triage_database_wal_bytes", "SQLite's write-ahead log: what is not in the database file yet.", log)


def _jobs(runs: Iterable[JobRun]) -> Iterator[Metric]:
    """The scheduler's recurring jobs, whichever scheduler ran them."""
    label = ["job"]
    succeeded = GaugeMetricFamily(
        "triage_job_last_success_timestamp_seconds", "When a recurring job last succeeded; 0: never.", labels=label
    )
    took = GaugeMetricFamily("triage_job_last_duration_seconds", "How long its last finished run took.", labels=label)
    failed = GaugeMetricFamily("triage_job_failed", "1 when its last run failed, else 0.", labels=label)
    noticed = GaugeMetricFamily(
        "triage_job_noticed", "1 when its last run found something for a person to look at, else 0.", labels=label
    )
    for run in runs:
        succeeded.add_metric([run.name], run.succeeded_at.timestamp() if run.succeeded_at else 0)
        failed.add_metric([run.name], int(run.error is not None and run.noticed is None))
        noticed.add_metric([run.name], int(run.noticed is not None))
        if run.ended_at is not None and run.ended_at >= run.started_at:
            took.add_metric([run.name], (run.ended_at - run.started_at).total_seconds())
    yield from (succeeded, took, failed, noticed)


def _build() -> Metric:
    build = GaugeMetricFamily("triage_build_info", "1; the version that answers.", labels=["version"])
    build.add_metric([triage.__version__], 1)
    return build


def _readiness(vitals: Vitals) -> Iterator[Metric]:
    """As ``/readyz`` says it, by check."""
    found = GaugeMetricFamily("triage_reasons", "Reasons why the service is not ready, by check of /readyz.", labels=["check"])
    warned = GaugeMetricFamily("triage_warnings", "Warnings of /readyz, by check.", labels=["check"])
    for check in health.CHECKS:
        found.add_metric([check.__name__], len(list(check(vitals))))
    for check in health.WARNINGS:
        warned.add_metric([check.__name__], len(list(check(vitals))))
    yield _gauge("triage_ready", "1 when /readyz says that the service does its work, else 0.", int(not health.reasons(vitals)))
    yield from (found, warned)


def _of(figure: Figure, counted: Mapping[Key, float]) -> dict[Key, float]:
    """A figure's samples. Senders beyond the most that have series of their own are one: processes that start again each
    bring new ones, and a label's values must stay few."""
    names = {figure.name, f"{figure.name}_bucket", f"{figure.name}_sum"}
    samples = {key: value for key, value in counted.items() if key[0] in names}
    if "sender" not in figure.labels:
        return samples
    totals: dict[str, float] = {}
    for (_, labels), value in samples.items():
        totals[dict(labels)["sender"]] = totals.get(dict(labels)["sender"], 0.0) + value
    shown = set(sorted(totals, key=lambda sender: (-totals[sender], sender))[: 2 * SENDERS])
    folded: dict[Key, float] = {}
    for (name, labels), value in samples.items():
        kept = tuple((label, text if label != "sender" or text in shown else OTHER) for label, text in labels)
        folded[name, kept] = folded.get((name, kept), 0.0) + value
    return folded


def _family(figure: Figure, samples: Mapping[Key, float]) -> Metric:
    if figure.kind is Kind.HISTOGRAM:
        return _histogram(figure, samples)
    make = CounterMetricFamily if figure.kind is Kind.COUNTER else GaugeMetricFamily
    family = make(figure.name, figure.help, labels=figure.labels)
    for (_, labels), value in samples.items():
        family.add_metric([dict(labels).get(name, "") for name in figure.labels], value)
    if not samples and not figure.labels and figure.kind is Kind.COUNTER:
        family.add_metric([], 0)
    return family


def _histogram(figure: Figure, samples: Mapping[Key, float]) -> Metric:
    """Rows hold the count of each bucket alone; Prometheus wants them heaped up."""
    family = HistogramMetricFamily(figure.name, figure.help, labels=figure.labels)
    for labels in _series(figure, samples):
        buckets, heap = [], 0.0
        for bound in (*(f"{one:g}" for one in figure.buckets), "+Inf"):
            heap += samples.get((f"{figure.name}_bucket", tuple(sorted((*labels, ("le", bound))))), 0.0)
            buckets.append((bound, heap))
        told = dict(labels)
        family.add_metric([told[name] for name in figure.labels], buckets, samples.get((f"{figure.name}_sum", labels), 0.0))
    return family


def _series(figure: Figure, samples: Iterable[Key]) -> list[Labels]:
    found = {tuple(pair for pair in labels if pair[0] != "le") for _, labels in samples}
    return sorted(found) or ([] if figure.labels else [()])


def _queue(vitals: Vitals) -> Iterator[Metric]:
    depth = vitals.depth
    jobs = GaugeMetricFamily("triage_queue_jobs", "Studies in the assessment queue, by state.", labels=["state"])
    for state, count in (("waiting", depth.waiting), ("running", depth.running), ("quarantined", depth.quarantined)):
        jobs.add_metric([state], count)
    yield jobs
    since = depth.oldest_waiting_since
    waited = max(0.0, (vitals.now - since).total_seconds()) if since else 0.0
    yield _gauge("triage_queue_oldest_waiting_seconds", "How long the oldest study has waited for its assessment.", waited)


def _roles(vitals: Vitals) -> Iterator[Metric]:
    role, process = ["role"], ["role", "process"]
    up = GaugeMetricFamily("triage_role_up", "1 when a process of the role gave a sign of life in time, else 0.", labels=role)
    troubled = GaugeMetricFamily("triage_role_troubled", "1 when no process of the role can do its work, else 0.", labels=role)
    alive = GaugeMetricFamily("triage_role_processes", "Processes of a role that live.", labels=role)
    silent = GaugeMetricFamily(
        "triage_role_silent_processes", "Processes of a role that fell silent within a day.", labels=role
    )
    beat = GaugeMetricFamily(
        "triage_process_beat_timestamp_seconds", "When a process last gave a sign of life.", labels=process
    )
    restarts = CounterMetricFamily("triage_role_restarts", "How often a process was started again.", labels=process)
    for kind in vitals.expected:
        status, found = vitals.role(kind), vitals.instances(kind)
        living = sum(vitals.lives(one) for one in found)
        up.add_metric([kind], int(living > 0))
        troubled.add_metric([kind], int(bool(status and status.trouble)))
        alive.add_metric([kind], living)
        silent.add_metric([kind], len(found) - living)
        for one in found:
            beat.add_metric([kind, one.role], one.beat_at.timestamp())
            restarts.add_metric([kind, one.role], one.restarts)
    yield from (up, troubled, alive, silent, beat, restarts)


def _destinations(vitals: Vitals) -> Iterator[Metric]:
    labels = ["destination"]
    waiting = GaugeMetricFamily("triage_results_waiting", "Results on their way, by destination.", labels=labels)
    refused = GaugeMetricFamily("triage_results_refused", "Results that a destination will not take.", labels=labels)
    oldest = GaugeMetricFamily(
        "triage_results_oldest_waiting_seconds", "How long the oldest result on its way has waited.", labels=labels
    )
    up = GaugeMetricFamily("triage_destination_up", "1 when the last try was answered, else 0.", labels=labels)
    delivered = CounterMetricFamily("triage_results_delivered", "Results that a destination has taken.", labels=labels)
    for one in vitals.destinations:
        since = one.oldest_waiting
        waiting.add_metric([one.name], one.waiting)
        refused.add_metric([one.name], one.refused)
        oldest.add_metric([one.name], max(0.0, (vitals.now - since).total_seconds()) if since else 0.0)
        up.add_metric([one.name], int(one.away_since is None))
        delivered.add_metric([one.name], one.delivered)
    yield from (waiting, refused, oldest, up, delivered)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=value)


def router(site: Site) -> APIRouter:
    """The route; the registry is this application's own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(site))
    routes = APIRouter(tags=["health"])

    @routes.get("/metrics", summary="Prometheus text format", response_class=Response)
    def metrics() -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
