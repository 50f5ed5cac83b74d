"""How films come in by DICOMweb: the intake's reception, in the web role, under the archive's lock for other receivers."""

from functools import partial
from typing import TYPE_CHECKING

from triage.archive.receiving import receiving
from triage.clock import utc_now
from triage.dimse.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from triage.dimse.store_scp import file_meta
from triage.services.receive import Reception
from triage.web.dicomweb.spool import Spool
from triage.web.dicomweb.stow import Storing

if TYPE_CHECKING:
    from triage.bootstrap import Site


def storing_of(site: "Site") -> Storing:
    """The same objects, the same limits and the same order of steps as by C-STORE."""
    most_bytes = site.settings.dimse.max_object_bytes
    return Storing(
        begin=partial(
            Reception,
            archive=site.archive,
            database=site.database,
            head_starts=site.settings.policy.head_starts,
            max_object_bytes=most_bytes,
            clock=utc_now,
            listed=site.bell.ring,
        ),
        receiving=partial(receiving, site.archive.root),
        classes=frozenset(STORAGE_CLASSES),
        syntaxes=frozenset(TRANSFER_SYNTAXES),
        file_meta=file_meta,
        answered=site.tally.film,
        spool=partial(Spool, site.settings.home / "spool", most_bytes, site.archive.look_for_room),
    )
