"""Retrieve Metadata (PS3.18 10.4.1.1.2): the headers of films without their pixels.

They are read from the films themselves, when one is first asked for, and kept in memory: what a viewer needs to show a film
(how values become grey, how large a pixel is) is no key, and a header copied into the database could differ from the film.
A film is opened in a child (:mod:`triage.sandbox`), never here; of one that cannot be read the index tells its identifiers.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from triage.domain.errors import PixelError
from triage.domain.instance import Instance
from triage.web.dicomweb.accept import Offer
from triage.web.dicomweb.addresses import INSTANCE, ROOT, SERIES, STUDY
from triage.web.dicomweb.json_model import MEDIA_TYPE, DicomJson, Model, of_instance
from triage.web.dicomweb.refused import Refused, busy
from triage.web.dicomweb.resources import Resources, form
from triage.web.shelf import Busy

MOST_INSTANCES = 500
"""Headers in one answer; a study of more is asked for series by series."""
MOST_BYTES = 32 << 20
"""Of all headers in one answer, as JSON; of most films, some thousand of them. As objects they take ten times as much."""
OFFERS = [Offer(media_type=MEDIA_TYPE), Offer(media_type="application/json")]


def router(resources: Resources) -> APIRouter:
    """The three routes."""
    routes = APIRouter(prefix=ROOT, include_in_schema=False)

    @routes.get(f"{STUDY}/metadata")
    def of_study(study: str, request: Request) -> Response:
        return answer(request, resources.instances(study))

    @routes.get(f"{SERIES}/metadata")
    def of_series(study: str, series: str, request: Request) -> Response:
        return answer(request, resources.instances(study, series))

    @routes.get(f"{INSTANCE}/metadata")
    def of_one(study: str, series: str, instance: str, request: Request) -> Response:
        return answer(request, resources.instances(study, series, instance))

    def answer(request: Request, found: list[Instance]) -> Response:
        form(request, OFFERS)
        if len(found) > MOST_INSTANCES:
            raise Refused(413, f"more than {MOST_INSTANCES} films; ask for the metadata of a series or an instance")
        told, size = list[Model](), 0
        for one in found:
            model, bytes_more = header(one)
            size += bytes_more
            if size > MOST_BYTES:
                raise Refused(413, "the headers are too large together; ask for the metadata of a series or an instance")
            told.append(model)
        resources.site.note_image(request, found[0].study_instance_uid)
        return DicomJson(told)

    def header(one: Instance) -> tuple[Model, int]:
        model, size = Model(), 0
        try:
            told = resources.opened.header(one.digest)
            model, size = told.model, told.size_bytes
        except PixelError:
            pass
        except Busy as error:
            raise busy(error) from None
        return of_instance(model, one, resources.addresses.instance(one)), size

    return routes
