"""What ``triage check`` looks at of DICOM TLS."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from triage.cli.finding import FAIL, OK, WARN, Finding
from triage.clock import utc_now
from triage.config import Settings
from triage.dimse.tls import TlsServer
from triage.dimse.tls_files import TlsFiles
from triage.domain.errors import ConfigError
from triage.pki.facts import certificates, revocation_lists

CERTIFICATE_SOON = timedelta(days=30)
LIST_SOON = timedelta(days=7)
ANEW = "triage tls renew, or fetch it from the authority that issued it"


def dicom_tls(settings: Settings) -> Iterator[Finding]:
    """The listener could start with these files; how long certificate, authorities and revocation lists last."""
    files = settings.tls_files
    if files is None:
        yield from _plain(settings)
        return
    now = utc_now()
    try:
        TlsServer(files, settings.tls_bindings, lambda: now)
    except ConfigError as error:
        yield Finding(FAIL, "dicom tls", str(error), "the intake does not start before this is mended")
        return
    yield _lasts("own certificate", certificates(files.read("certificate"))[0].not_after, now, CERTIFICATE_SOON)
    yield _lasts("authority", min(one.not_after for one in certificates(files.read("ca"))), now, 3 * CERTIFICATE_SOON)
    yield from _lists(files, now)


def _plain(settings: Settings) -> Iterator[Finding]:
    if settings.dimse.allow_plain_dicom:
        remedy = "triage tls init, set dimse.tls, take dimse.allow_plain_dicom away"
        yield Finding(WARN, "dicom tls", "off, and dimse.allow_plain_dicom is set: films can be read on the way", remedy)
    else:
        yield Finding(OK, "dicom tls", "off; DICOM is served on this machine only")


def _lists(files: TlsFiles, now: datetime) -> Iterator[Finding]:
    if files.crl is None:
        remedy = "set dimse.tls.crl"
        yield Finding(WARN, "revocation list", "none is set: a stolen modality's certificate is believed until it ends", remedy)
        return
    for one in revocation_lists(files.read("crl")):
        if one.next_update is None:
            yield Finding(
                WARN, "revocation list", f"that of {one.issuer} does not say until when it holds", "ask the authority"
            )
        else:
            yield _lasts("revocation list", one.next_update, now, LIST_SOON)


def _lasts(what: str, until: datetime, now: datetime, soon: timedelta) -> Finding:
    days = (until - now).days
    if until < now:
        return Finding(FAIL, "dicom tls", f"{what} ran out on {until:%Y-%m-%d}: connections are refused", ANEW)
    mark = WARN if until - now < soon else OK
    return Finding(mark, "dicom tls", f"{what} holds for {days} days, until {until:%Y-%m-%d}", ANEW if mark == WARN else "")
