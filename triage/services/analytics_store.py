"""What analytics asks of the database: readings beside their studies, and counts of arrivals."""

from datetime import datetime
from typing import Protocol

from triage.domain.analytics import ArrivalHour, AssessedDay, JudgedReading, ScoreBin, StillWaiting
from triage.domain.drift import Judged
from triage.domain.period import Piece
from triage.domain.silence import ReceivedHour
from triage.domain.waiting import Waited


class AnalyticsStore(Protocol):
    """Questions only. A period holds its first moment and not its last. The first reading of a study is that written first;
    one that was taken back is in no answer.
    """

    def readings(self, since: datetime, until: datetime) -> list[JudgedReading]:
        """Finished readings of the period, in the order in which they were written."""

    def line(self, since: datetime, until: datetime) -> list[Waited]:
        """Studies without a STAT whose first reading is in the period; in no order."""

    def never_read(self) -> list[Waited]:
        """Unread studies without a STAT or any reading, in reading order."""

    def still_waiting(self) -> list[StillWaiting]:
        """Unread studies by the level that counts, in the order of :class:`triage.domain.level.Level`."""

    def arrivals_by_hour(self, piece: Piece) -> list[ArrivalHour]:
        """Arrivals of the period by hour of the local day and the network's level as it stands; sorted."""

    def assessed_by_day(self, piece: Piece) -> list[AssessedDay]:
        """Arrivals of the period that stand as flagged or not flagged, by local day and model; sorted."""

    def received_by_hour(self, since: datetime) -> list[ReceivedHour]:
        """Films since then, by calling AE title and whole hour (UTC); in no order, hours without any left out."""

    def judged(self, model: str | None, *, newest: bool, limit: int) -> list[Judged]:
        """Of the studies of one network (``None``: of any) that wait for it no longer, so many that arrived last, or first; in
        the order of arrival."""

    def scores(self, since: datetime, until: datetime) -> list[ScoreBin]:
        """Probabilities of the period's arrivals, as they stand; sorted."""
