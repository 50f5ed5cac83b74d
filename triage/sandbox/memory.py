"""The in-process twin: the same answers for films that do no harm. For tests."""

from typing import BinaryIO

from triage.imaging.eligibility import Intended
from triage.imaging.prepare import Prepared, prepare
from triage.imaging.spec import PreprocessingSpec


class MemoryFilms:
    """See :class:`triage.services.ports.Films`. Nothing is cut short here."""

    def ready(self) -> bool:
        """See :class:`triage.services.ports.Films`."""
        return True

    def prepare(self, stream: BinaryIO, spec: PreprocessingSpec, intended: Intended, within_seconds: float) -> Prepared:
        """See :class:`triage.services.ports.Films`."""
        return prepare(stream, spec, intended)
