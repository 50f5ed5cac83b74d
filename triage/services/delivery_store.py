"""What the way out asks of the database: results, destinations, and where each result is on its way to each of them."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Protocol

from triage.domain.delivery import Delivery, DeliveryState, DestinationState, Receipt
from triage.domain.result import Result


class DeliveryStore(Protocol):
    """Results never change. A claim counts as long as its token is the newest; every other step looks whether it may."""

    def add_result(self, result: Result) -> None:
        """Write a result, whose number is the study's next."""

    def results(self, study_instance_uid: str) -> list[Result]:
        """A study's results, oldest first."""

    def last_result(self, study_instance_uid: str) -> Result | None:
        """A study's last result, or ``None``."""

    def register(self, names: Collection[str], now: datetime) -> list[str]:
        """Destinations that are new from now on hear of every further result; returns those that were new."""

    def destinations(self) -> list[DestinationState]:
        """Every destination that there ever was, by name, with how its deliveries stand."""

    def is_due(self, destination: str, now: datetime) -> bool:
        """Whether :meth:`fan_out` or :meth:`claim` would find something; cheap, for a reader."""

    def fan_out(self, destination: str, now: datetime, limit: int) -> int:
        """Make deliveries of results that this destination has none for yet, oldest first; returns how many.

        What waits of the same study and was never tried is superseded (:func:`triage.domain.delivery.overtaken`).
        """

    def send_last(self, destination: str, since: datetime, now: datetime, limit: int) -> int:
        """Make deliveries of the last result of studies that arrived since, where there is none yet, oldest first; returns how
        many: fewer than ``limit`` where that was all."""

    def claim(self, destination: str, now: datetime, lease_until: datetime) -> Delivery | None:
        """The delivery that is due, or whose claim has run out; none of a study while an earlier one of it is open, unless
        that was tried :data:`triage.domain.delivery.PASSED_AFTER` times: then it is superseded by the claim. Of several
        that which was tried least often, then the oldest.

        Due, too, is what would wait longer than :data:`triage.domain.delivery.LONGEST_WAIT`.

        ``None``, too, while the destination is left in peace (:class:`DestinationState`).
        """

    def payload(self, delivery: Delivery) -> tuple[Result, tuple[Result, ...]]:
        """The result of a delivery, and the study's earlier ones that have arrived there or may have, oldest first."""

    def delivered(self, delivery: Delivery, receipt: Receipt, now: datetime) -> bool:
        """The peer has taken it, and so it answers; ``False``: no longer the claimant's.

        That it keeps the objects, said meanwhile (:meth:`reported`), stays.
        """

    def refused(self, delivery: Delivery, error: str, now: datetime) -> bool:
        """The peer will not have it, and so it answers; ``False``: no longer the claimant's."""

    def reported(self, commitment_uid: str, destinations: Collection[str], kept: bool, now: datetime) -> bool:
        """One of these destinations says whether it keeps a result that it was sent; what it does not keep waits again,
        unless a later result of the study counts by now.

        ``False``: nothing of the kind was sent to it.
        """

    def put_off(self, delivery: Delivery, error: str, not_before: datetime) -> bool:
        """The try failed; ``False``: no longer the claimant's."""

    def rest(self, destination: str, error: str, not_before: datetime, now: datetime) -> None:
        """The destination does not answer: it is left in peace until then."""

    def failures(self, destination: str) -> int:
        """How often in a row it has not answered."""

    def recover(self, destinations: Collection[str], now: datetime) -> int:
        """Every claim ends: the process that held it is gone. Returns how many there were."""

    def replay(self, delivery_id: int, now: datetime) -> Delivery | None:
        """A refused delivery waits again, or is superseded where a later result of its study is on its way or there.

        Returns it as it is then; ``None``: there is none that was refused.
        """

    def delivery(self, delivery_id: int) -> Delivery | None:
        """One delivery, or ``None``."""

    def deliveries(
        self,
        *,
        states: Collection[DeliveryState] = (),
        destination: str | None = None,
        study_instance_uid: str | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        """Deliveries that fit, newest first; no ``states``: all."""

    def last_results(self) -> Iterator[Result]:
        """The last result of every study that has one."""

    def missing(self, destination: str) -> list[tuple[str, int]]:
        """Study and number of results that were spread to this destination, so it is noted, and have no delivery to it."""

    def unheard_since(self, destination: str) -> datetime | None:
        """When the oldest of the results was said that this destination has no delivery of yet; ``None``: there is none."""

    def without_delivery(self, destination: str) -> int:
        """How many results this destination should hear of have no delivery to it yet."""
