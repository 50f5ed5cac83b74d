"""What the routes need of the world, handed in once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.requests import Request

from triage.domain.level import HeadStarts
from triage.domain.reading import LEASE
from triage.services.audit import listed, shown, viewed
from triage.services.ports import Clock, Database
from triage.web.html import present
from triage.web.watched import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The database, the clock, the room left in the archive, and whether this is a demonstration.

    ``heartbeat_limit``: a role that was silent for longer counts as not running. ``viewer_url``: the template of the link to
    the hospital's viewer (:mod:`triage.web.viewer_link`); empty: no link. ``head_starts``: the policy. ``lease``: of a
    reader's claim. ``full_frames``, ``heat_map``: whether they are offered at all. ``who``: names the person behind a
    request, for claims and the audit; ``None``: nobody can be told apart. ``destinations``: those of the settings.
    ``hears_orders``: the RIS sends its orders here. ``watched``: what only health and metrics ask.
    """

    database: Database
    clock: Clock
    free_bytes: Callable[[], int]
    demo: bool = False
    heartbeat_limit: timedelta = timedelta(seconds=10)
    viewer_url: str = ""
    head_starts: HeadStarts = field(default_factory=HeadStarts)
    lease: timedelta = LEASE
    full_frames: bool = False
    heat_map: bool = False
    who: Callable[[Request], str] | None = None
    destinations: tuple[str, ...] = ()
    hears_orders: bool = False
    watched: Watched = field(default_factory=Watched)

    def note_view(self, request: Request, study_instance_uid: str) -> None:
        """Audit that the person behind the request looks at a study; what cannot be audited is not shown."""
        if self.who is not None:
            viewed(self.database, self.who(request), study_instance_uid, self.clock)

    def note_list(self) -> None:
        """Audit that the person who asks takes the list itself away, once in a quarter of an hour."""
        who = present.get()
        if self.who is not None and who is not None:
            listed(self.database, who.name, self.clock)

    def note_image(self, request: Request, study_instance_uid: str, what: str = "") -> None:
        """The same for an image, which comes in many requests: by the rule of :func:`triage.services.audit.shown`."""
        if self.who is not None:
            shown(self.database, self.who(request), study_instance_uid, what, self.clock)
