"""The gate of a retrained bundle: named checks against the bundle that serves and the first one released, as a table. Pure.

What is compared is computed from the per-film scores of the locked test; baselines and shortcut audit are the bundle's own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from training import compare, paired, resample
from training.compare import Pairs, Scored
from training.gate.measure import LEAST, asked
from training.paired import Difference
from training.statistics import Figure

AUC_MARGIN, SENSITIVITY_MARGIN, SPECIFICITY_MARGIN = -0.02, -0.03, -0.10
"""Of specificity more may be lost: it costs readers' time, not findings. A network that flags everything must not pass."""
LOSS = -0.05
"""A loss of this size is a fail though the films are too few to be sure of it."""
GAIN = 0.05
ENOUGH = 100
"""Films of one label source from which on a subgroup is judged by itself."""
ECE = 0.05
LABEL_DROP = 0.10
LATENCY_MS = 40.0


class Verdict(StrEnum):
    """What a check says; only the first lets a bundle through by itself."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_ENOUGH = "not enough evidence"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gate judges.

    ``references``: serving and first bundle (one entry where they are the same); ``training_data``: the candidate's
    ``training_data.json``; ``latency_ms``: median time of a golden film on one thread, the bundle loaded as the service does;
    ``recomputed``: the largest difference between the scores in the bundle and those of its network on the films, if they
    were at hand.
    """

    candidate: Scored
    references: dict[str, Scored]
    training_data: dict[str, Any]
    reference_training_data: dict[str, dict[str, Any]]
    latency_ms: float
    recomputed: float | None = None
    why_ece: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the gate's table."""

    name: str
    rule: str
    measured: str
    verdict: Verdict

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge(evidence: Evidence) -> list[Check]:
    """Every check, in the order of :data:`COMPARISONS` for each reference and then :data:`CHECKS`.

    Raises:
        TrainingError: candidate and reference were tested on different films.
    """
    found = []
    for name, reference in evidence.references.items():
        pairs = compare.pair(evidence.candidate, reference)
        for title, rule, measure in COMPARISONS:
            found.append(Check(f"{title}, against {name}", rule, *measure(pairs)))
    for title, rule, check in CHECKS:
        found += [Check(title, rule, *outcome) for outcome in check(evidence)]
    return found


def overall(checks: Sequence[Check]) -> Verdict:
    """Pass only if all pass; fail if any fails."""
    verdicts = {check.verdict for check in checks}
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.NOT_ENOUGH if Verdict.NOT_ENOUGH in verdicts or not checks else Verdict.PASS


def allowed(verdict: Verdict, approved_by: str) -> bool:
    """A pass may be installed; where evidence is wanting, a named person may allow it; a fail nobody can."""
    return verdict is Verdict.PASS or (verdict is Verdict.NOT_ENOUGH and bool(approved_by.strip()))


def not_worse(difference: Difference, margin: float) -> Verdict:
    """Non-inferiority: the lower limit above the margin. A certain loss, or one beyond :data:`LOSS`, is a fail."""
    if difference.value is None or difference.low is None or difference.high is None:
        return Verdict.NOT_ENOUGH
    if difference.low > margin:
        return Verdict.PASS
    return Verdict.FAIL if difference.high < 0 or difference.value < LOSS else Verdict.NOT_ENOUGH


def better(difference: Difference, by: float) -> Verdict:
    """Superiority: the value above ``by`` and surely above none. No gain, or surely less than ``by``, is a fail."""
    if difference.value is None or difference.low is None or difference.high is None:
        return Verdict.NOT_ENOUGH
    if difference.value > by and difference.low > 0:
        return Verdict.PASS
    return Verdict.FAIL if difference.value <= 0 or difference.high < by else Verdict.NOT_ENOUGH


Outcome = tuple[str, Verdict]


def _auc(who: str) -> Callable[[Pairs], Outcome]:
    def measure(pairs: Pairs) -> Outcome:
        difference = pairs.source(who).auc()
        return str(difference), not_worse(difference, AUC_MARGIN)

    return measure


def _sensitivity(pairs: Pairs) -> Outcome:
    difference = pairs.source("best").sensitivity()
    return str(difference), not_worse(difference, SENSITIVITY_MARGIN)


def _specificity(pairs: Pairs) -> Outcome:
    difference = pairs.source("best").specificity()
    return str(difference), not_worse(difference, SPECIFICITY_MARGIN)


def _subgroups(pairs: Pairs) -> Outcome:
    losses = [
        (sample.auc(), f"{name}, {who} labels")
        for who in compare.SOURCES
        for name, sample in compare.subgroups(pairs, who, ENOUGH)
        if name != "all"
    ]
    known = [(figure.value, str(figure), name) for figure, name in losses if figure.value is not None]
    if not known:
        return f"no subgroup has {ENOUGH} films", Verdict.NOT_ENOUGH
    value, figure, name = min(known)
    return f"worst of {len(known)}: {name} {figure}", Verdict.FAIL if value < LOSS else Verdict.PASS


def _same_labels(pairs: Pairs) -> Outcome:
    said = f"{pairs.left_out} test films have other labels than before"
    return said, Verdict.NOT_ENOUGH if pairs.left_out else Verdict.PASS


COMPARISONS: tuple[tuple[str, str, Callable[[Pairs], Outcome]], ...] = (
    ("AUC, radiologists' labels", f"lower limit of the difference > {AUC_MARGIN}", _auc("radiologist")),
    ("AUC, text labels", f"lower limit of the difference > {AUC_MARGIN}", _auc("text")),
    ("sensitivity at the operating point", f"lower limit of the difference > {SENSITIVITY_MARGIN}", _sensitivity),
    ("specificity at the operating point", f"lower limit of the difference > {SPECIFICITY_MARGIN}", _specificity),
    ("subgroups", f"none of {ENOUGH} films or more loses more than {-LOSS} of AUC", _subgroups),
    ("test labels", "the same", _same_labels),
)
"""Name, rule and measure of what is compared with a reference, on the same films."""


def _ece(evidence: Evidence) -> Iterator[Outcome]:
    films = [film for film, _ in evidence.candidate.films.values()]
    scores = np.array([score for _, score in evidence.candidate.films.values()])
    positive = np.array([film.label == "abnormal" for film in films])
    found = resample.calibration(positive, scores, [film.patient for film in films])["ece"]
    if found.value is not None and found.value <= ECE:
        yield str(found), Verdict.PASS
    elif evidence.why_ece.strip():
        yield f"{found}; why: {evidence.why_ece.strip()}", Verdict.PASS
    else:
        certain = found.low is not None and found.low > ECE
        yield f"{found}; say why with --why-ece", Verdict.FAIL if certain else Verdict.NOT_ENOUGH


def _baselines(evidence: Evidence) -> Iterator[Outcome]:
    baselines = evidence.candidate.metrics.get("baselines") or {}
    if not {LINEAR, "metadata", "thumbnail", "statistics"} <= set(baselines):
        yield "metrics.json has none; evaluate and bundle again", Verdict.FAIL
    for name, scores in baselines.items():
        digests = sorted(evidence.candidate.films.keys() & scores.keys())
        films = [evidence.candidate.films[digest] for digest in digests]
        difference = paired.auc_difference(
            np.array([film.label == "abnormal" for film, _ in films]),
            np.array([score for _, score in films]),
            np.array([float(scores[digest]) for digest in digests]),
            [film.patient for film, _ in films],
        )
        yield f"{name}: {difference}", better(difference, 0.0 if name == LINEAR else GAIN)


def _audit(evidence: Evidence) -> Iterator[Outcome]:
    audit = evidence.training_data.get("audit") or {}
    if not audit.get("auc"):
        yield "training_data.json has none; bundle again", Verdict.FAIL
    else:
        yield "present: " + (audit.get("meaning") or ["nothing said"])[0], Verdict.PASS


def _labels(evidence: Evidence) -> Iterator[Outcome]:
    found = (evidence.training_data.get("audit") or {}).get("labels")
    if not found:
        yield "training_data.json has no such figure; bundle again", Verdict.FAIL
        return
    drop = Difference(**found["val minus train"])
    if drop.value is None or drop.low is None or drop.high is None:
        yield f"val − train {drop}", Verdict.NOT_ENOUGH
    elif drop.high < LABEL_DROP:
        yield f"val − train {drop}", Verdict.PASS
    else:
        yield f"val − train {drop}; look at the train labels", Verdict.FAIL if drop.low > 0 else Verdict.NOT_ENOUGH


def _labels_before(evidence: Evidence) -> Iterator[Outcome]:
    found = (evidence.training_data.get("audit") or {}).get("labels") or {}
    for name, training_data in evidence.reference_training_data.items():
        before = (training_data.get("audit") or {}).get("labels") or {}
        if not found or not before:
            continue
        changes = {"report and radiologist agree": _change(found["agreement"]["train"], before["agreement"]["train"])}
        if before["reader"] == found["reader"]:
            changes["AUC"] = _change(found["train"], before["train"])
        else:
            yield f"AUC, {name}: another network read its labels", Verdict.NOT_ENOUGH
        for what, change in changes.items():
            if change.value is not None:  # films without a radiologist's label cannot agree with one
                yield f"{what}, {name}: {change}", not_worse(change, LOSS)


def _change(now: dict[str, Any], before: dict[str, Any]) -> Difference:
    return paired.independent_difference(Figure(**now), Figure(**before))


def _image_gate(evidence: Evidence) -> Iterator[Outcome]:
    found = evidence.candidate.metrics.get("image_gate")
    if not found:
        before = [name for name, one in evidence.references.items() if one.metrics.get("image_gate")]
        said = f"none, {before[0]} brings one; run: python -m training gate" if before else "none, and none served before"
        yield said, Verdict.FAIL if before else Verdict.PASS
        return
    worst = min(asked(found), key=lambda row: float(row["right"]["value"]))
    right = Figure(**worst["right"])
    said = f"worst of {len(asked(found))}: {worst['kind']} {right} {worst['expected']}"
    if right.value is not None and right.value >= LEAST:
        yield said, Verdict.PASS
    else:
        yield said, Verdict.FAIL if right.high is not None and right.high < LEAST else Verdict.NOT_ENOUGH


def _latency(evidence: Evidence) -> Iterator[Outcome]:
    yield f"{evidence.latency_ms:.1f} ms", Verdict.PASS if evidence.latency_ms <= LATENCY_MS else Verdict.FAIL


def _recomputed(evidence: Evidence) -> Iterator[Outcome]:
    if evidence.recomputed is None:
        yield "not tried; give the data set with --data", Verdict.FAIL
    else:
        yield f"largest difference {evidence.recomputed:.1e}", Verdict.PASS


LINEAR = "linear pixels"
CHECKS: tuple[tuple[str, str, Callable[[Evidence], Iterator[Outcome]]], ...] = (
    ("calibration", f"ECE on test ≤ {ECE} (best labels), or said why", _ece),
    ("baselines", f"AUC above each shortcut's by more than {GAIN}, above linear pixels (best labels)", _baselines),
    ("shortcut audit", "the bundle carries it", _audit),
    (
        "train labels",
        f"a trusted network agrees with train as with val: upper limit of val − train < {LABEL_DROP} of AUC",
        _labels,
    ),
    (
        "train labels, against before",
        f"lower limit of the difference > {LOSS}, where the reference tells",
        _labels_before,
    ),
    ("image gate", f"each kind of picture on test: at least {LEAST} as it should be; present if it was", _image_gate),
    ("golden films and latency", f"loads as in the service; median ≤ {LATENCY_MS:.0f} ms a film on one thread", _latency),
    ("test scores", "those of the bundle's own network (1e-4)", _recomputed),
)
"""Name, rule and check of what is asked of the candidate itself."""
