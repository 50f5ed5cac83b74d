"""The classifier that serves now: loaded once, loaded anew when another bundle is activated."""

import time
from pathlib import Path

from triage.domain.errors import BundleError
from triage.inference.classifier import LiteRtClassifier
from triage.inference.load import load_classifier
from triage.inference.registry import Registry, Signature

RETRY_SECONDS = 30.0


class ActiveClassifier:
    """Call it before each study: the same object while nothing changed, so a film in flight keeps its network."""

    def __init__(self, models: Path, threads: int) -> None:
        self._registry = Registry(models)
        self._threads = threads
        self._seen: Signature | None = None
        self._looked = 0.0
        self._found: LiteRtClassifier | BundleError = BundleError("no bundle was looked for yet")

    def __call__(self) -> LiteRtClassifier:
        """The classifier of the active bundle.

        Raises:
            BundleError: there is none, or it is refused; the same error until something changes in the models
                directory, or half a minute has passed (it may have been memory, or a busy disk).
        """
        now, moment = self._registry.signature(), time.monotonic()
        stale = isinstance(self._found, BundleError) and moment - self._looked > RETRY_SECONDS
        if now != self._seen or stale:
            self._seen, self._found, self._looked = now, self._load(), moment
        if isinstance(self._found, BundleError):
            raise self._found
        return self._found

    def _load(self) -> LiteRtClassifier | BundleError:
        try:
            path = self._registry.active_path()
            if path is None:
                return BundleError("no bundle is installed; run: triage models install DIR, then triage models activate ID")
            return load_classifier(path, self._threads)
        except BundleError as error:
            return error
        except OSError as error:
            return BundleError(f"the models directory cannot be read ({error.strerror})")
