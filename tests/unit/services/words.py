"""What must hold of results at every moment: the last one says what the study's row says."""

from itertools import pairwise

from triage.domain.coverage import standing_outcome
from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.services.ports import Database


def wrong_words(database: Database) -> list[str]:
    """Studies whose last result does not say what their row says; pending and without a model the earlier word stands."""
    wrong = []
    with database.read() as tx:
        for study in tx.worklist(include_read=True):
            uid = study.study_instance_uid
            results, standing = tx.deliveries.results(uid), standing_outcome(study, tx.outcomes(uid))
            assert [one.number for one in results] == list(range(1, len(results) + 1))
            for before, after in pairwise(results):
                wrong += [f"{uid}: said twice"] if after.says_what(before) else []
            if study.network_level is Level.PENDING or study.reason is Reason.NO_MODEL:
                continue
            said = (results[-1].level, results[-1].reason, results[-1].probability) if results else None
            if said != (study.network_level, study.reason, study.probability):
                wrong.append(f"{uid}: {said}, not {study.network_level} {study.reason} {study.probability}")
                continue
            covered = sum(one.probability is not None for one in results[-1].images)
            wrong += [f"{uid}: {covered} images covered, not {study.images_covered}"] if covered != study.images_covered else []
            seen = {one.digest for one in results[-1].images}
            if standing is not None and seen != standing.considered:
                wrong.append(f"{uid}: rests on other images")
            model = results[-1].model.label if results[-1].model else None
            wrong += [f"{uid}: model {model}, not {study.model}"] if model != study.model else []
    return wrong
