"""What the routes share: the indexed films that an address names, the forms of an answer, and that opening them is audited."""

import threading
from dataclasses import dataclass, field

from starlette.requests import Request

from triage.domain.instance import Instance
from triage.web.dicomweb.accept import Offer, chosen
from triage.web.dicomweb.addresses import Addresses
from triage.web.dicomweb.films import OpenedFilms
from triage.web.dicomweb.refused import not_found, uid
from triage.web.previews import Films, Previews
from triage.web.site import Site

WHOLE = "full frame"
"""What the audit calls it when full resolution goes out, as the study page's own frames."""
SENDING = 4
"""Films on their way at the same time; a viewer beyond it tries again in a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """``films`` opens a kept object by its digest; ``opened``: in a child; ``previews``: those of the study page."""

    site: Site
    films: Films
    opened: OpenedFilms
    previews: Previews
    addresses: Addresses
    places: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(SENDING))

    def instances(self, study: str, series: str | None = None, instance: str | None = None) -> list[Instance]:
        """The films of a study, of a series of it, or one, first received first.

        Raises:
            Refused: 400: no UID; 404: nothing of that name.
        """
        uid(study, "StudyInstanceUID")
        if series is not None:
            uid(series, "SeriesInstanceUID")
        if instance is not None:
            uid(instance, "SOPInstanceUID")
        with self.site.database.read() as tx:
            found = tx.instances(study)
        wanted = [
            one for one in found if series in (None, one.series_instance_uid) and instance in (None, one.sop_instance_uid)
        ]
        if not wanted:
            raise not_found("study" if not found or series is None else "series" if instance is None else "instance")
        return wanted


def form(request: Request, offers: list[Offer]) -> Offer:
    """The form in which the caller takes it: :func:`triage.web.dicomweb.accept.chosen`."""
    # several Accept headers are one list (RFC 9110 5.3)
    return chosen(", ".join(request.headers.getlist("accept")), offers, request.query_params.get("accept"))
