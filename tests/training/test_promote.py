"""The gate: a good candidate passes every check, and each fault is caught by the check that is there for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.training.scored import evidence_of, films, network
from training import compare, promote
from training.errors import TrainingError
from training.paired import Difference
from training.promote import Check, Evidence, Verdict
from training.statistics import proportion

FILMS = films()
SERVING = network(FILMS, evidence_of(FILMS, own=2), "serving")
LABELS = {
    "reader": "r",
    "train": {"value": 0.80, "low": 0.79, "high": 0.81, "n": 4000},
    "agreement": {"train": {"value": 0.78, "low": 0.765, "high": 0.795, "n": 3000}},
    "val minus train": {"value": 0.01, "low": -0.03, "high": 0.05, "n": 4400, "p": 0.6},
}


def evidence(found: Any = None, **changes: Any) -> Evidence:
    candidate = network(FILMS, evidence_of(FILMS) if found is None else found)
    weak = {film.digest: float(score) for film, score in zip(FILMS, evidence_of(FILMS, 0.6, own=3, shared=0.2), strict=True)}
    candidate.metrics["baselines"] = dict.fromkeys(("linear pixels", "metadata", "thumbnail", "statistics"), weak)
    audit = {"auc": {"text": {}}, "meaning": ["No shortcut seen."], "labels": LABELS}
    sound = Evidence(
        candidate=candidate,
        references={"the serving bundle": SERVING},
        training_data={"audit": audit},
        reference_training_data={"the serving bundle": {"audit": audit}},
        latency_ms=4.0,
        recomputed=1e-7,
    )
    return replace(sound, **changes)


def verdicts(given: Evidence) -> dict[str, Verdict]:
    return by_name(promote.judge(given))


def by_name(checks: list[Check]) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    for check in checks:
        name = check.name.split(", against the")[0]
        found[name] = min(
            found.get(name, check.verdict), check.verdict, key=[Verdict.FAIL, Verdict.NOT_ENOUGH, Verdict.PASS].index
        )
    return found


def test_a_candidate_as_good_as_the_serving_one_passes_every_check() -> None:
    checks = promote.judge(evidence())
    found = by_name(checks)
    assert set(found.values()) == {Verdict.PASS}
    assert promote.overall(checks) is Verdict.PASS
    assert len(found) == len(promote.COMPARISONS) + len(promote.CHECKS)


def abnormal() -> Any:
    return np.array([film.label == "abnormal" for film in FILMS])


def pool_b() -> Any:
    return np.array([film.pool == "b" for film in FILMS])


def seen() -> Any:
    return np.array([bool(film.radiologist_label) for film in FILMS])


def blind(where: Any) -> Any:
    rng = np.random.default_rng(5)
    return np.where(where, rng.permutation(evidence_of(FILMS)), evidence_of(FILMS))


SABOTAGE: dict[str, tuple[str, Callable[[], Evidence], Verdict]] = {
    "worse for radiologists": ("AUC, radiologists' labels", lambda: evidence(blind(seen())), Verdict.FAIL),
    "worse for reports": ("AUC, text labels", lambda: evidence(evidence_of(FILMS, 1.2)), Verdict.FAIL),
    "misses more": (
        "sensitivity at the operating point",
        lambda: evidence(np.where(abnormal(), evidence_of(FILMS) ** 2.5, evidence_of(FILMS))),
        Verdict.FAIL,
    ),
    "blind in a pool": ("subgroups", lambda: evidence(blind(pool_b())), Verdict.FAIL),
    "other test labels": (
        "test labels",
        lambda: evidence(
            references={
                "the serving bundle": network([replace(FILMS[0], text_label="abnormal"), *FILMS[1:]], evidence_of(FILMS))
            }
        ),
        Verdict.NOT_ENOUGH,
    ),
    "probabilities that do not keep their word": ("calibration", lambda: evidence(evidence_of(FILMS) ** 3), Verdict.FAIL),
    "shortcuts as good as it": (
        "baselines",
        lambda: _with_baseline("metadata", evidence_of(FILMS, own=7)),
        Verdict.FAIL,
    ),
    "no better than linear pixels": (
        "baselines",
        lambda: _with_baseline("linear pixels", evidence_of(FILMS, 2.6, own=7)),
        Verdict.FAIL,
    ),
    "no audit": ("shortcut audit", lambda: evidence(training_data={}), Verdict.FAIL),
    "train labels at odds with the pixels": (
        "train labels",
        lambda: _with_labels({"val minus train": {"value": 0.11, "low": 0.04, "high": 0.18, "n": 2179, "p": 0.0}}),
        Verdict.FAIL,
    ),
    "train labels worse than before": (
        "train labels, against before",
        lambda: _with_labels({"train": {"value": 0.76, "low": 0.74, "high": 0.78, "n": 4000}}),
        Verdict.FAIL,
    ),
    "report and radiologist agree less than before": (
        "train labels, against before",
        lambda: _with_labels({"agreement": {"train": {"value": 0.66, "low": 0.63, "high": 0.69, "n": 800}}}),
        Verdict.FAIL,
    ),
    "no image gate where one served": ("image gate", lambda: _with_gate(None, serving=_gate(200)), Verdict.FAIL),
    "a gate that lets inverted films pass": ("image gate", lambda: _with_gate(_gate(170)), Verdict.FAIL),
    "a gate of which too little is known": ("image gate", lambda: _with_gate(_gate(188)), Verdict.NOT_ENOUGH),
    "slow": ("golden films and latency", lambda: evidence(latency_ms=41.0), Verdict.FAIL),
    "scores not made again": ("test scores", lambda: evidence(recomputed=None), Verdict.FAIL),
}


def _with_baseline(name: str, found: Any) -> Evidence:
    given = evidence()
    given.candidate.metrics["baselines"][name] = {film.digest: float(score) for film, score in zip(FILMS, found, strict=True)}
    return given


def _gate(inverted: int) -> list[dict[str, Any]]:
    """``image_gate`` of 200 films, of which so many are refused once inverted."""
    return [
        {"kind": "as it is", "expected": "accepted", "right": proportion(197, 200).as_dict(), "words": {}},
        {"kind": "tilted by 15°", "expected": "accepted", "right": proportion(100, 200).as_dict(), "words": {}},
        {"kind": "inverted", "expected": "refused", "right": proportion(inverted, 200).as_dict(), "words": {}},
    ]


def _with_gate(found: list[dict[str, Any]] | None, serving: list[dict[str, Any]] | None = None) -> Evidence:
    reference = network(FILMS, evidence_of(FILMS, own=2), "serving")
    reference.metrics["image_gate"] = serving
    given = evidence(references={"the serving bundle": reference})
    given.candidate.metrics["image_gate"] = found
    return given


def test_a_gate_that_knows_its_kinds_passes() -> None:
    assert verdicts(_with_gate(_gate(199), serving=_gate(200)))["image gate"] is Verdict.PASS


def _with_labels(changes: dict[str, Any]) -> Evidence:
    audit = evidence().training_data["audit"]
    return evidence(training_data={"audit": audit | {"labels": LABELS | changes}})


@pytest.mark.parametrize("fault", SABOTAGE)
def test_each_fault_is_seen_by_its_check(fault: str) -> None:
    name, make, verdict = SABOTAGE[fault]
    checks = promote.judge(make())
    assert by_name(checks)[name] is verdict
    assert promote.overall(checks) is not Verdict.PASS


def test_few_films_are_not_enough_and_not_a_pass() -> None:
    few = films(200)
    candidate, serving = (network(few, evidence_of(few, own=own, shared=0.7)) for own in (1, 2))
    found = verdicts(replace(evidence(), candidate=candidate, references={"the serving bundle": serving}))
    assert found["AUC, radiologists' labels"] is Verdict.NOT_ENOUGH
    assert not promote.allowed(Verdict.NOT_ENOUGH, "")
    assert not promote.allowed(Verdict.NOT_ENOUGH, "  ")
    assert promote.allowed(Verdict.NOT_ENOUGH, "A. Name")


def test_nobody_can_approve_a_fail() -> None:
    assert not promote.allowed(Verdict.FAIL, "A. Name")


def test_a_chain_of_small_losses_is_seen_against_the_first() -> None:
    first = network(FILMS, evidence_of(FILMS, 2.7, own=4), "first")
    given = evidence(references={"the serving bundle": SERVING, "the first bundle": first})
    outcomes = {check.name: check.verdict for check in promote.judge(given)}
    assert outcomes["AUC, radiologists' labels, against the serving bundle"] is Verdict.PASS
    assert outcomes["AUC, radiologists' labels, against the first bundle"] is Verdict.FAIL


def test_a_reason_excuses_the_calibration_error_and_nothing_else() -> None:
    given = evidence(evidence_of(FILMS) ** 3, why_ece="another prevalence")
    assert verdicts(given)["calibration"] is Verdict.PASS
    assert verdicts(replace(given, latency_ms=99.0))["golden films and latency"] is Verdict.FAIL


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.0, -0.019, 0.02, Verdict.PASS),
        (0.0, -0.021, 0.02, Verdict.NOT_ENOUGH),
        (-0.03, -0.07, 0.01, Verdict.NOT_ENOUGH),
        (-0.03, -0.05, -0.01, Verdict.FAIL),
        (-0.06, -0.2, 0.1, Verdict.FAIL),
        (-0.01, -0.015, -0.005, Verdict.PASS),  # surely worse, and surely by less than the margin
        (None, None, None, Verdict.NOT_ENOUGH),
    ],
)
def test_non_inferiority(value: float | None, low: float | None, high: float | None, verdict: Verdict) -> None:
    assert promote.not_worse(Difference(value, low, high, 100, 0.5), -0.02) is verdict


def test_other_test_films_are_refused() -> None:
    others = network(films()[:-10], evidence_of(films())[:-10], "serving")
    with pytest.raises(TrainingError, match="different films: 1190 in common of 1200 and 1190"):
        promote.judge(evidence(references={"the serving bundle": others}))


def test_a_network_that_flags_everything_fails() -> None:
    rows = films()
    found = evidence_of(rows)
    serving = network(rows, found, "serving")
    greedy = network(rows, found, "greedy", threshold=1e-6)
    outcomes = {name: measure(compare.pair(greedy, serving)) for name, _, measure in promote.COMPARISONS}
    assert outcomes["sensitivity at the operating point"][1] is Verdict.PASS
    assert outcomes["specificity at the operating point"][1] is Verdict.FAIL
