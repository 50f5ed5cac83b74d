"""A classifier without a network, and bundles without files. True second implementations, for tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from triage.domain.assessment import Model
from triage.domain.bundle import Card, Entry, Proof
from triage.domain.errors import BundleError, InferenceError
from triage.domain.opinion import Opinion
from triage.domain.reason import Reason
from triage.imaging.spec import PreprocessingSpec


class MemoryClassifier:
    """The mean grey value of the tensor is the probability; implements :class:`triage.services.ports.Classifier`.

    ``opinion``: what its gate says of every film; ``None``: it has none.
    """

    def __init__(
        self,
        spec: PreprocessingSpec | None = None,
        threshold: float = 0.5,
        name: str = "memory",
        version: str = "1",
        opinion: Opinion | None = None,
    ) -> None:
        self._opinion = opinion
        self.spec = spec or PreprocessingSpec(height=32, width=32)
        self.model = Model(name=name, version=version, bundle_id="0" * 64, spec_id=self.spec.spec_id, threshold=threshold)

    def probability(self, tensor: NDArray[np.float32]) -> float:
        """The mean of a tensor (H, W, 1) float32 in 0..1.

        Raises:
            InferenceError: another shape, or what is no number.
        """
        self._check(tensor)
        return float(np.clip(tensor.mean(dtype=np.float64), 0.0, 1.0))

    def opinion(self, tensor: NDArray[np.float32]) -> Opinion | None:
        """See :class:`triage.services.ports.Classifier`."""
        self._check(tensor)
        return self._opinion

    def _check(self, tensor: NDArray[np.float32]) -> None:
        if tensor.shape != (self.spec.height, self.spec.width, 1) or not np.isfinite(tensor).all():
            raise InferenceError(Reason.NUMERIC, "the input tensor has another shape or holds what is no number")


class MemoryBundles:
    """Cards in a list; implements :class:`triage.services.models.Bundles`. ``refused``: ids that prove nothing."""

    def __init__(self, cards: Sequence[Card] = (), refused: Sequence[str] = ()) -> None:
        self._cards = list(cards)
        self._refused = set(refused)
        self._active = next((card.entry.bundle_id for card in cards if card.entry.active), None)
        self._previous: str | None = None
        self._since: str | None = None

    def entries(self) -> list[Entry]:
        """See :class:`triage.services.models.Bundles`."""
        return [self._entry(card) for card in self._cards]

    def fault(self) -> str | None:
        """See :class:`triage.services.models.Bundles`."""
        return None

    def card(self, bundle_id: str) -> Card:
        """See :class:`triage.services.models.Bundles`."""
        found = [card for card in self._cards if len(bundle_id) >= 8 and card.entry.bundle_id.startswith(bundle_id)]
        if len(found) != 1:
            raise BundleError(f"no bundle {bundle_id[:12]} is installed; see: triage models list")
        return replace(found[0], entry=self._entry(found[0]))

    def activate(self, bundle_id: str, now: datetime, who: str) -> Proof:
        """See :class:`triage.services.models.Bundles`."""
        card = self.card(bundle_id)
        chosen = card.entry.bundle_id
        if chosen in self._refused:
            raise BundleError("golden films: all score the same, the network is blind")
        if chosen != self._active:
            self._active, self._previous, self._since = chosen, self._active, now.isoformat()
        return Proof(
            bundle_id=chosen, files=0, golden=card.golden, references=0, left_out="none here", median_ms=1.0, slowest_ms=1.0
        )

    def rollback(self, now: datetime, who: str) -> Proof:
        """See :class:`triage.services.models.Bundles`."""
        if self._previous is None:
            raise BundleError("no bundle was active before; see: triage models list")
        return self.activate(self._previous, now, who)

    def _entry(self, card: Card) -> Entry:
        serves = card.entry.bundle_id == self._active
        since = self._since if serves else None
        return replace(card.entry, active=serves, active_since=since, previous=card.entry.bundle_id == self._previous)
