"""Addresses under ``/dicomweb``: never made from what a request says of its host."""

from triage.domain.instance import Instance

ROOT = "/dicomweb"
STUDY = "/studies/{study}"
SERIES = STUDY + "/series/{series}"
INSTANCE = SERIES + "/instances/{instance}"


class Addresses:
    """Of resources. ``public_url``: how people reach the service; empty: addresses begin with the path."""

    def __init__(self, public_url: str = "") -> None:
        self._root = public_url + ROOT

    def study(self, study_instance_uid: str) -> str:
        """Of a study."""
        return self._root + STUDY.format(study=study_instance_uid)

    def series(self, study_instance_uid: str, series_instance_uid: str) -> str:
        """Of a series."""
        return self._root + SERIES.format(study=study_instance_uid, series=series_instance_uid)

    def instance(self, one: Instance) -> str:
        """Of an instance."""
        return self.of(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)

    def of(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
        """The same, by its UIDs."""
        return self._root + INSTANCE.format(study=study_instance_uid, series=series_instance_uid, instance=sop_instance_uid)
