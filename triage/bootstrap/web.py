"""The web role: pages, API and health of one home."""

from functools import partial
from typing import TYPE_CHECKING

import structlog

from triage.bootstrap.storing import storing_of
from triage.clock import utc_now
from triage.database import schema
from triage.heartbeat import Heartbeat
from triage.inference.apart import BundlesApart
from triage.supervisor import follow_supervisor
from triage.web.admin.installation import Installation
from triage.web.app import create_app
from triage.web.identity import name_of
from triage.web.lightbox import Rules
from triage.web.run import serve
from triage.web.watched import Watched

if TYPE_CHECKING:
    from triage.bootstrap import Launch, Site


def run_web(site: "Site", launch: "Launch") -> None:
    """Serve until SIGTERM."""
    from triage.bootstrap.accounts import accounts_of, external_of, greet_first

    if launch.supervised:
        follow_supervisor()
    web, viewer = site.settings.web, site.settings.viewer
    accounts = accounts_of(site)
    external = external_of(site, accounts)
    if web.public_url.startswith("https://") and not web.trusted_proxy:
        structlog.get_logger().warning("web.trusted_proxy is not set: wrong passwords of everybody count for one address")
    greet_first(site, demo=launch.demo)
    app = create_app(
        site.database,
        clock=utc_now,
        free_bytes=site.archive.free_bytes,
        demo=launch.demo,
        films=site.archive.open,
        viewer_url=web.viewer_url,
        accounts=accounts,
        external=external,
        full_frames=viewer.full_frames,
        heat_map=Rules(models=site.models, min_age_years=site.settings.policy.min_age_years) if viewer.heat_map else None,
        public_url=web.public_url,
        metrics_open=web.metrics_open,
        trusted_proxy=web.trusted_proxy,
        who=name_of,
        head_starts=site.settings.policy.head_starts,
        lease=site.settings.reading.lease,
        destinations=[one.name for one in site.settings.destinations],
        hears_orders=bool(site.settings.hl7.port),
        installation=Installation(
            bundles=BundlesApart(site.models),
            anchor=site.anchor,
            ae_title=site.settings.dimse.ae_title,
            allowed_peers=tuple(site.settings.dimse.allowed_peers),
            min_age_years=site.settings.policy.min_age_years,
            database_revision=schema.newest,  # no other is opened
        ),
        viewer_origins=web.viewer_origins,
        storing=storing_of(site) if web.stow else None,
        watched=Watched(
            tally=site.tally,
            outdated=partial(schema.mismatch, site.database.engine),
            database_bytes=site.database.size_bytes,
        ),
    )
    with Heartbeat(
        site.database,
        launch.name,
        clock=utc_now,
        restarts=launch.restarts,
        trouble=site.archive.trouble,
        tally=site.tally,
    ):
        serve(
            app,
            web.host,
            web.port,
            lambda port: structlog.get_logger().info("serving", host=web.host, port=port),
            beyond_loopback=True,  # the settings were refused otherwise
        )
