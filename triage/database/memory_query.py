"""The in-memory twin of :mod:`triage.database.query`."""

from collections.abc import Mapping, Sequence

from triage.database.query import day_of
from triage.domain.instance import Instance
from triage.domain.query import Attributes, Coarse, Film, Found
from triage.domain.study import ReadingState, Study
from triage.domain.worklist import order


class MemoryQueries:
    """See :class:`triage.services.query_store.QueryStore`."""

    def __init__(
        self, studies: Mapping[str, Study], instances: Mapping[str, Instance], attributes: dict[str, Attributes]
    ) -> None:
        self._studies = studies
        self._instances = instances
        self._attributes = attributes

    def put_attributes(self, sop_instance_uid: str, attributes: Attributes) -> None:
        if sop_instance_uid in self._instances:
            self._attributes[sop_instance_uid] = dict(attributes)

    def candidates(self, coarse: Coarse) -> list[str]:
        found = [study for study in self._studies.values() if self._may_match(coarse, study)]
        unread = sorted((one for one in found if one.reading.state is not ReadingState.READ), key=order)
        read = (one for one in found if one.reading.state is ReadingState.READ)
        latest = sorted(read, key=lambda one: (one.arrived_at, one.study_instance_uid), reverse=True)
        return [one.study_instance_uid for one in (*unread, *latest)]

    def found(self, study_instance_uids: Sequence[str]) -> list[Found]:
        known = (self._studies[uid] for uid in study_instance_uids if uid in self._studies)
        return [Found(study, tuple(self._films(study.study_instance_uid))) for study in known]

    def unread_headers(self, after: str, limit: int) -> list[Instance]:
        unread = (one for uid, one in self._instances.items() if uid not in self._attributes and uid > after)
        return sorted(unread, key=lambda one: one.sop_instance_uid)[:limit]

    def _films(self, study_instance_uid: str) -> list[Film]:
        theirs = (one for one in self._instances.values() if one.study_instance_uid == study_instance_uid)
        in_order = sorted(theirs, key=lambda one: (one.received_at, one.sop_instance_uid))
        return [Film(one, self._attributes.get(one.sop_instance_uid)) for one in in_order]

    def _may_match(self, coarse: Coarse, study: Study) -> bool:
        films = self._films(study.study_instance_uid)
        named = (
            (coarse.studies, {study.study_instance_uid}),
            (coarse.series, {one.instance.series_instance_uid for one in films}),
            (coarse.instances, {one.instance.sop_instance_uid for one in films}),
        )
        if any(wanted and not found & set(wanted) for wanted, found in named):
            return False
        if any(film.attributes is None for film in films):
            return True
        told = [film.attributes or {} for film in films]
        texts = ((coarse.patient_ids, "PatientID"), (coarse.accession_numbers, "AccessionNumber"))
        if any(wanted and not any(one.get(keyword, ("",))[0] in wanted for one in told) for wanted, keyword in texts):
            return False
        days = [day for one in told if (day := day_of(one)) is not None]
        return coarse.days is None or any(coarse.days[0] <= day <= coarse.days[1] for day in days)
