"""Send films by C-STORE: what ``triage send`` and the demo use, and what a modality does."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom import AE, _config, build_context
from pynetdicom.association import Association

from triage.dimse.requestor import steady
from triage.dimse.tls_client import ClientContext
from triage.domain.destination import Destination
from triage.domain.errors import TriageError

MAXIMUM_CONTEXTS = 128
NOT_ACCEPTED = "no presentation context accepted for its SOP class and transfer syntax"
PREFIX_OFFSET, PREFIX = 128, b"DICM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one file. ``status`` is the response; ``None``: it never came to one. ``seconds``: until the response."""

    path: Path
    status: int | None
    comment: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the receiver has it."""
        return self.status == 0x0000


@dataclass(frozen=True, slots=True)
class _Film:
    path: Path
    sop_class_uid: UID
    transfer_syntax_uid: UID


def files_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as named, and within folders every file that is, or by its name should be, a DICOM object."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for found in sorted(path.rglob("*")):
            if found.is_file() and (found.suffix.lower() == ".dcm" or _is_part10(found)):
                yield found


def send(
    files: Sequence[Path],
    to: Destination,
    calling_ae_title: str,
    heard: Callable[[Sent], None],
    tls: ClientContext | None = None,
) -> list[Sent]:
    """C-STORE every file, bytes as they are; ``heard`` is told each outcome as it comes. ``tls``: made for this destination.

    Raises:
        TriageError: the destination cannot be reached or refuses the association.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_SEND_CHUNKED_DATASET = True  # the file's own bytes go out: no decoding, no new encoding
    outcomes: list[Sent] = []

    def note(outcome: Sent) -> None:
        outcomes.append(outcome)
        heard(outcome)

    films = []
    for path in files:
        film = _look_at(path)
        if isinstance(film, _Film):
            films.append(film)
        else:
            note(film)
    pairs = list(dict.fromkeys((film.sop_class_uid, film.transfer_syntax_uid) for film in films))
    for first in range(0, len(pairs), MAXIMUM_CONTEXTS):
        some = pairs[first : first + MAXIMUM_CONTEXTS]
        association = _associate(to, calling_ae_title, some, tls)
        if association is None:
            for film in films:
                if (film.sop_class_uid, film.transfer_syntax_uid) in some:
                    note(Sent(path=film.path, status=None, comment=NOT_ACCEPTED))
            continue
        try:
            for film in films:
                if (film.sop_class_uid, film.transfer_syntax_uid) in some:
                    note(_store(association, film))
        finally:
            if association.is_established:
                association.release()
    return outcomes


def _look_at(path: Path) -> "_Film | Sent":
    if not path.is_file():
        return Sent(path=path, status=None, comment="no such file")
    if not _is_part10(path):
        return Sent(path=path, status=None, comment="not a DICOM file (no DICM prefix)")
    try:
        meta = dcmread(path, specific_tags=[], stop_before_pixels=True).file_meta
        return _Film(path, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    except Exception as error:  # pydicom raises many kinds on damaged headers
        return Sent(path=path, status=None, comment=f"header cannot be read ({type(error).__name__})")


def _associate(
    to: Destination, calling_ae_title: str, pairs: Sequence[tuple[UID, UID]], tls: ClientContext | None
) -> Association | None:
    """An association, or ``None`` when the receiver accepts none of the pairs."""
    entity = AE(ae_title=calling_ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    contexts = [build_context(sop_class_uid, transfer_syntax_uid) for sop_class_uid, transfer_syntax_uid in pairs]
    entity.connection_timeout = 60  # a peer that is silent during a handshake, too
    tls_args = (tls, to.host) if tls is not None else None
    association = entity.associate(to.host, to.port, contexts=contexts, ae_title=to.ae_title, tls_args=tls_args)
    if not association.is_established and association.is_aborted and association.rejected_contexts:
        return None
    if not association.is_established and tls is not None and tls.failure is not None:
        raise TriageError(f"{to.ae_title}@{to.host}:{to.port}: no DICOM TLS: {tls.failure}")
    if not association.is_established:
        why = "refused the association (AE titles?)" if association.is_rejected else "does not answer"
        raise TriageError(f"{to.ae_title}@{to.host}:{to.port} {why}; is the service running there?")
    return association


def _store(association: Association, film: _Film) -> Sent:
    started = time.monotonic()
    try:
        answer = steady(association).send_c_store(film.path)
    except (ValueError, RuntimeError) as error:
        return Sent(path=film.path, status=None, comment=NOT_ACCEPTED if isinstance(error, ValueError) else "association ended")
    status = answer.get("Status")
    comment = str(answer.get("ErrorComment", "") or "") if status is not None else "no response"
    return Sent(path=film.path, status=status, comment=comment, seconds=time.monotonic() - started)


def _is_part10(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(PREFIX_OFFSET)
            return stream.read(len(PREFIX)) == PREFIX
    except OSError:
        return False
