"""``/metrics``: what the administrator's monitoring watches. Counts and times, never a patient or a UID."""

from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from triage.domain.errors import IndexUnavailable
from triage.domain.level import Level
from triage.web.site import Site
from triage.web.vitals import Vitals, look


class ServiceCollector(Collector):
    """Asks the database at the moment it is asked; keeps nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        """Every family. While the database does not answer: only that it does not, and the room left."""
        vitals = look(self._site)
        yield _gauge("triage_database_up", "1 when the database answers, else 0.", int(vitals.database_answers))
        yield _gauge(
            "triage_storage_free_bytes", "Room above the archive's floor; 0 or less: films are refused.", vitals.free_bytes
        )
        if vitals.database_answers:
            yield from self._studies()
            yield from _queue(vitals)
            yield from _roles(vitals)
            yield from _destinations(vitals)

    def _studies(self) -> Iterator[Metric]:
        try:
            with self._site.database.read() as tx:
                counts, set_aside, revision = tx.counts_by_level(), len(tx.quarantined()), tx.revision()
        except IndexUnavailable:
            return
        studies = GaugeMetricFamily("triage_unread_studies", "Unread studies on the list, by level.", labels=["level"])
        for level in Level:
            studies.add_metric([level.value], counts.get(level.value, 0))
        yield studies
        yield _gauge("triage_quarantined_objects", "Received objects that were set aside instead of indexed.", set_aside)
        yield _gauge("triage_worklist_revision", "Raised by every visible change of the list.", revision)


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
    up = GaugeMetricFamily("triage_role_up", "1 when a role gave a sign of life within the limit, else 0.", labels=["role"])
    troubled = GaugeMetricFamily("triage_role_troubled", "1 when a role says it cannot do its work, else 0.", labels=["role"])
    restarts = CounterMetricFamily("triage_role_restarts", "How often a role was started again.", labels=["role"])
    for name in vitals.expected:
        status = vitals.role(name)
        up.add_metric([name], int(vitals.alive(name)))
        troubled.add_metric([name], int(bool(status and status.trouble)))
        restarts.add_metric([name], status.restarts if status else 0)
    yield from (up, troubled, restarts)


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
