"""What speaks to a destination of each kind, and what the objects that go to it are made of."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydicom import Dataset

from triage.clock import utc_now
from triage.config.destinations import DestinationSettings, Kind
from triage.domain.delivery import DicomObject
from triage.domain.errors import ArchiveAway, ConfigError, TriageError
from triage.domain.result import Result
from triage.services.transport import Transport

if TYPE_CHECKING:
    from triage.bootstrap import Site
    from triage.dimse.tls_client import ClientContext

Make = Callable[[Result, tuple[Result, ...]], Sequence[DicomObject]]
Build = Callable[["Site", DestinationSettings], Transport]


def transport_of(site: "Site", settings: DestinationSettings) -> Transport:
    """What speaks to a destination.

    Raises:
        ConfigError: it cannot with these settings.
    """
    return BUILDERS[settings.kind](site, settings)


def objects_of(site: "Site", settings: DestinationSettings) -> Make:
    """Makes the objects of a result out of it and the headers of its films, as they lie in the archive."""
    import triage.reporting.content  # noqa: F401 - 3 s now, which the first result need not wait for
    from triage.reporting.part10 import Device
    from triage.reporting.presentation_state import presentation_state
    from triage.reporting.secondary_capture import page
    from triage.reporting.structured_report import structured_report

    def make(result: Result, predecessors: tuple[Result, ...]) -> Sequence[DicomObject]:
        films = [_header(site, image.digest) for image in result.images]
        zone = result.decided_at.astimezone().tzinfo  # of that day: sent again in winter it is still the same object
        assert zone is not None
        device = Device(station=site.settings.dimse.ae_title, zone=zone)
        objects = [structured_report(result, predecessors, films, device)]
        if settings.page:
            objects.append(page(result, predecessors, films, device))
        if settings.presentation_state and (state := presentation_state(result, films, device, predecessors)):
            objects.append(state)
        return objects

    return make


def _header(site: "Site", digest: str) -> Dataset:
    """A film that is damaged or gone says nothing; the report goes out all the same."""
    from triage.reporting.header import film_header

    try:
        with site.archive.open(digest) as stream:
            return film_header(stream)
    except ArchiveAway:  # the next try knows more
        raise
    except (TriageError, OSError):
        return Dataset()


def _dicom(site: "Site", settings: DestinationSettings) -> Transport:
    from triage.dimse.result_scu import DicomTransport

    return DicomTransport(
        settings.entity,
        ae_title=site.settings.dimse.ae_title,
        within_seconds=settings.within.total_seconds(),
        make=objects_of(site, settings),
        tls=_tls(site, settings) if settings.kind is Kind.DICOM_TLS else None,
        commitment=settings.commitment,
    )


def _tls(site: "Site", settings: DestinationSettings) -> Callable[[], "ClientContext"]:
    from triage.dimse.tls_client import client_context

    files, bindings, to = site.settings.tls_files, site.settings.tls_bindings, settings.entity
    if files is None:
        raise ConfigError(
            f"destination {settings.name}: kind dicom_tls needs our certificate; make one: triage tls init, or set dimse.tls"
        )
    return lambda: client_context(files, ae_title=to.ae_title, host=to.host, bindings=bindings, clock=utc_now)


def _stow(site: "Site", settings: DestinationSettings) -> Transport:
    from triage.outbound.stow import StowTransport

    return StowTransport(
        settings.url,
        token=settings.token.get_secret_value(),
        within_seconds=settings.within.total_seconds(),
        make=objects_of(site, settings),
    )


def _webhook(site: "Site", settings: DestinationSettings) -> Transport:
    from triage.outbound.webhook import WebhookTransport

    token, within = settings.token.get_secret_value(), settings.within.total_seconds()
    return WebhookTransport(settings.url, token=token, within_seconds=within)


def _hl7(site: "Site", settings: DestinationSettings) -> Transport:
    from triage.hl7.transport import MllpTransport

    return MllpTransport(
        settings.entity.host,
        settings.entity.port,
        within_seconds=settings.within.total_seconds(),
        application=settings.application,
        facility=settings.facility,
        clock=utc_now,
    )


BUILDERS: dict[Kind, Build] = {
    Kind.DICOM: _dicom,
    Kind.DICOM_TLS: _dicom,
    Kind.STOW: _stow,
    Kind.HL7: _hl7,
    Kind.WEBHOOK: _webhook,
}
