"""Read the headers of films that came before queries were answered from rows. Resumable: each header is read once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.domain.errors import TriageError
from triage.domain.instance import Instance
from triage.services.ports import Archive, Database

if TYPE_CHECKING:
    from triage.imaging.attributes import Attributes

AT_A_TIME = 100
"""Films of one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """``last``: the film to go on behind; empty: the end was reached. ``unreadable``: left as they are, tried again later."""

    last: str
    read: int = 0
    unreadable: int = 0


def read_headers(
    archive: Archive, database: Database, most: int, after: str = "", go_on: Callable[[], object] = lambda: None
) -> Progress:
    """Read up to ``most`` headers behind the film ``after``; ``go_on`` raises where it has to end.

    A film that cannot be read now (damaged, missing) stays without attributes: a study is never left out of an answer for it.

    Raises:
        IndexUnavailable: the database does not take the rows; what was written before stays.
    """
    read = unreadable = 0
    while read + unreadable < most:
        go_on()
        with database.read() as tx:
            films = tx.queries.unread_headers(after, min(AT_A_TIME, most - read - unreadable))
        if not films:
            return Progress(last="", read=read, unreadable=unreadable)
        told = [(film, _attributes(archive, film)) for film in films]
        known = [(film, attributes) for film, attributes in told if attributes is not None]
        if known:
            with database.write() as tx:
                for film, attributes in known:
                    if tx.instance(film.sop_instance_uid) == film:  # else another took its place: its own header is to be read
                        tx.queries.put_attributes(film.sop_instance_uid, attributes)
        read, unreadable, after = read + len(known), unreadable + len(told) - len(known), films[-1].sop_instance_uid
    return Progress(last=after, read=read, unreadable=unreadable)


def _attributes(archive: Archive, film: Instance) -> "Attributes | None":
    from triage.imaging.header import read_header  # by then there is a film to read; a role starts without

    try:
        with archive.open(film.digest) as stream:
            header = read_header(stream)
    except (TriageError, OSError):
        return None
    return header.attributes if header.sop_instance_uid == film.sop_instance_uid else None
