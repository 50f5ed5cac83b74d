"""Write ``sample_dicom/expected.json``: the place, level and reason that a bundle gives each sample film.

``python -m training.expect_samples`` after a new bundle was made or a sample changed. The demo compares what comes over
the wire with this file; the labels stand beside each level, so that the network's mistakes stay visible.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from triage.domain.assessment import InstanceExcuse, InstanceScore, combine
from triage.domain.errors import AssessmentError
from triage.domain.level import HeadStarts
from triage.domain.opinion import Refusal
from triage.domain.study import Study, begin, with_outcome
from triage.domain.worklist import ranked
from triage.imaging.eligibility import Intended
from triage.imaging.header import read_header
from triage.imaging.prepare import prepare
from triage.inference.load import load_classifier
from triage.services.assess import score
from triage.services.ports import Classifier

ROOT = Path(__file__).resolve().parents[1]
FIRST_ARRIVAL = datetime(2000, 1, 1, tzinfo=UTC)
MIN_AGE_YEARS = 16


def outcome_of(path: Path, arrived_at: datetime, classifier: Classifier, policy: HeadStarts) -> Study:
    """A study of one film, after the network has looked at it."""
    with path.open("rb") as stream:
        header = read_header(stream)
    scores, excuses = [], []
    uid, digest = header.sop_instance_uid, path.name
    with path.open("rb") as stream:
        prepared = prepare(stream, classifier.spec, Intended(MIN_AGE_YEARS))
    try:
        said = score(prepared, classifier)
    except AssessmentError as error:
        said = Refusal(reason=error.reason)
    if isinstance(said, Refusal):
        excuses.append(InstanceExcuse(sop_instance_uid=uid, digest=digest, reason=said.reason, out_of_scope=said.out_of_scope))
    else:
        scores.append(InstanceScore(sop_instance_uid=uid, digest=digest, probability=said))
    outcome = combine(header.study_instance_uid, classifier.model, scores, excuses, arrived_at)
    return with_outcome(begin(header.study_instance_uid, header.facts, arrived_at, policy), outcome, policy)


def expectations(samples: Path, classifier: Classifier) -> dict[str, Any]:
    """The document: films arrive in the order of their names, a second apart, each a study of its own."""
    origins = json.loads((samples / "origins.json").read_text(encoding="utf-8"))
    policy = HeadStarts()
    studies, files = [], {}
    for number, origin in enumerate(sorted(origins, key=lambda one: str(one["file"]))):
        arrived_at = FIRST_ARRIVAL + timedelta(seconds=number)
        study = outcome_of(samples / origin["file"], arrived_at, classifier, policy)
        studies.append(study)
        files[study.study_instance_uid] = origin
    rows = []
    for item in ranked(studies):
        origin = files[item.study.study_instance_uid]
        rows.append(
            {
                "rank": item.rank,
                "file": origin["file"],
                "study_instance_uid": item.study.study_instance_uid,
                "level": item.study.level.value,
                "reason": item.study.reason.code if item.study.reason else None,
                "probability": None if item.study.probability is None else round(item.study.probability, 4),
                "text_label": origin["text_label"],
                "radiologist_label": origin["radiologist_label"],
            }
        )
    return {"model": classifier.model.label, "threshold": classifier.model.threshold, "studies": rows}


def main(
    bundle: Annotated[Path, typer.Option(help="Bundle directory.")] = ROOT / "triage" / "models" / "recommended",
    samples: Annotated[Path, typer.Option(help="Folder with the films and origins.json.")] = ROOT / "sample_dicom",
) -> None:
    """Write expected.json."""
    document = expectations(samples, load_classifier(bundle))
    target = samples / "expected.json"
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"{target.name}: {len(document['studies'])} studies, model {document['model']}")


if __name__ == "__main__":
    typer.run(main)
