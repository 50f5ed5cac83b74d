"""Headers and frames of kept films, each opened in a child of its own (:mod:`triage.sandbox`); none is parsed here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from triage.domain.errors import DeadlyFilm, FilmsUnavailable, PixelError
from triage.domain.reason import Reason
from triage.sandbox.child import COMMAND, Child
from triage.web.darkroom import DEADLINE_SECONDS, PRINT_BYTES
from triage.web.dicomweb.json_model import Model, model_of
from triage.web.previews import Films, taken_out
from triage.web.shelf import Busy, Shelf

T = TypeVar("T")
HEADERS_BYTES = 16 << 20
"""Kept of headers, as JSON: some thousand."""
WAITING = 4
"""Requests that may wait for a film to be opened at the same time; each holds a thread that the list needs as well."""


@dataclass(frozen=True, slots=True)
class Told:
    """A header as it is kept. ``encoded``: JSON in ASCII."""

    encoded: bytes

    @property
    def model(self) -> Model:
        """In the DICOM JSON Model; references are tags."""
        return model_of(self.encoded)

    @property
    def size_bytes(self) -> int:
        """How much room it takes."""
        return len(self.encoded)


class OpenedFilms:
    """Opens one film at a time. Thread-safe."""

    def __init__(self, films: Films, command: tuple[str, ...] = COMMAND, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._films = films
        self._child = Child(deadline_seconds, PRINT_BYTES, command)
        self._headers: Shelf[Told] = Shelf(HEADERS_BYTES, WAITING)

    def header(self, digest: str) -> Told:
        """The header of a kept object.

        Raises:
            PixelError: it cannot be read, or is not there.
            Busy: no film can be opened at this moment.
        """
        return self._headers.get(digest, lambda: self._ask(digest, {"do": "header"}, _told))

    def bulk(self, digest: str, tag: str) -> bytes | None:
        """One long value; ``None``: the object has none under this tag. Raises as :meth:`header`."""
        return self._ask(digest, {"do": "bulk", "tag": tag}, _part)

    def frame(self, digest: str, number: int, *, decode: bool) -> bytes | None:
        """One frame as it is stored, or its pixel cells; ``None``: there are not so many. Raises as :meth:`header`."""
        return self._ask(digest, {"do": "stored", "number": number, "decode": decode}, _part)

    def close(self) -> None:
        """Forget all and end the child."""
        self._child.close()
        self._headers.clear()

    def _ask(self, digest: str, question: dict[str, Any], understand: Callable[[list[bytes]], T]) -> T:
        with taken_out(self._films, digest) as film:
            try:
                return self._child.ask(question, film, partial(_without_reason, understand))
            except (FilmsUnavailable, DeadlyFilm) as error:
                raise Busy(str(error)) from None


def _without_reason(understand: Callable[[list[bytes]], T], answer: dict[str, Any], parts: list[bytes]) -> T:
    if "reason" in answer:
        raise PixelError(Reason.from_code(answer["reason"]))
    return understand(parts)


def _told(parts: list[bytes]) -> Told:
    (encoded,) = parts
    model_of(encoded)
    return Told(encoded)


def _part(parts: list[bytes]) -> bytes | None:
    if len(parts) > 1:
        raise ValueError("more than was asked for")
    return parts[0] if parts else None
