"""The summary: what the network is and what it reached, in plain sentences and one table."""

from typing import TYPE_CHECKING, Any

from training import card, statistics
from training.report import page, waiting
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

CHANCE = 0.5


def section(evidence: "Evidence") -> Section:
    """Radiologists' labels first."""
    shown = evidence.shown
    blocks = [
        page.paragraph(card.STATEMENT, "warn"),
        page.paragraph(_what(evidence)),
        page.paragraph(_looked(evidence), "note"),
    ]
    sentences = []
    for who in shown.by_source():
        sentences += [_discrimination(who, shown.auc[who]["all"], shown.name), *_floor(evidence, who)]
        sentences.append(_decision(who, shown.operating_point[who], evidence.threshold))
    if "radiologist" not in shown.by_source():
        sentences.insert(0, f"No {shown.name} film carries a radiologist's label: agreement with reports is all that is known.")
    blocks.append(page.bullets([*sentences, *waiting.in_short(evidence)]))
    rows = [
        (f"{scored.name}, {card.SOURCES[who]}", page.figure(scored.auc[who]["all"]), *_shares(scored.operating_point[who]))
        for scored in (evidence.test, evidence.val)
        if scored
        for who in scored.by_source()
    ]
    heads = ("split and labels", "AUC", "sensitivity", "specificity", "share flagged")
    blocks.append(page.table(f"Headline figures; threshold {evidence.threshold:.4f}, {evidence.point['aim']}", heads, rows))
    blocks.append(
        page.paragraph(
            f"Positive means abnormal. In brackets the 95 % interval (AUC: {shown.interval}; shares: Wilson) and the number "
            "of films behind the figure. Val was used to choose epoch and threshold, so its figures flatter.",
            "note",
        )
    )
    return Section("summary", "Summary", tuple(blocks))


def _what(evidence: "Evidence") -> str:
    recipe, films = evidence.run.recipe, evidence.data.split("train")
    seeds = len(recipe.schedule.seeds)
    committee = f" It is a committee of {seeds} networks that differ in their seed." if seeds > 1 else ""
    return (
        f"{recipe.purpose} {evidence.parameters:,} parameters; a film enters with {recipe.input.height} × "
        f"{recipe.input.width} pixels.{committee} Trained on {len(films):,} films of "
        f"{len({film.patient for film in films}):,} patients ({evidence.data.source['name']}). It answers with one number, "
        "the probability that a film is abnormal."
    )


def _looked(evidence: "Evidence") -> str:
    if evidence.metrics is None:
        return (
            "The locked test split has not been evaluated: everything below is of val, on which epoch, calibration and "
            "threshold were chosen, and flatters. This report does not look at the test split."
        )
    looks = evidence.metrics.get("test_looks", "an unknown number of")
    return (
        "Unless it says val, what follows is of the locked test split as evaluate left it; evaluate had looked at it "
        f"{looks} time(s). This report is no further look."
    )


def _discrimination(who: str, values: dict[str, Any], split: str) -> str:
    figure = statistics.Figure(**values)
    if figure.value is None or figure.low is None or figure.high is None:
        return f"Against {card.SOURCES[who]}: too few {split} films of both kinds for an AUC (n={figure.n})."
    if figure.low <= CHANCE:
        verdict = "its order of the films cannot be told from chance"
    else:
        verdict = f"of an abnormal and a normal film it ranks the abnormal one higher in {page.percent(figure.value)} of pairs"
    return f"Against {card.SOURCES[who]}, {verdict}: AUC {figure}."


def _floor(evidence: "Evidence", who: str) -> list[str]:
    """The network beside linear pixels, where evaluate measured both on the same films."""
    floor = (evidence.metrics or {}).get("linear_floor")
    if not floor or evidence.test is None:
        return []
    linear, network = (statistics.Figure(**found[who]["all"]) for found in (floor["auc"], evidence.test.auc))
    if linear.value is None or network.value is None or network.low is None or linear.high is None:
        return []
    clear = network.low > linear.high
    verdict = "clearly less: the intervals do not meet" if clear else "the intervals meet, so the network is not clearly better"
    return [f"On the same films and labels, a linear model on raw pixels reaches {linear}; {verdict}."]


def _decision(who: str, point: dict[str, Any], threshold: float) -> str:
    sensitivity, specificity, flagged = (statistics.Figure(**point[name]) for name in ("sensitivity", "specificity", "flagged"))
    parts = [f"At the threshold {threshold:.4f} it flags {page.percent(flagged.value or 0.0)} of the films"]
    if sensitivity.value is not None:
        parts.append(f"among them {_count(sensitivity)} of {sensitivity.n} abnormal ones")
    if specificity.value is not None:
        parts.append(f"and leaves {_count(specificity)} of {specificity.n} normal ones unflagged")
    return f"{', '.join(parts)} ({card.SOURCES[who]})."


def _count(share: statistics.Figure) -> int:
    return round((share.value or 0.0) * share.n)


def _shares(point: dict[str, Any]) -> tuple[str, str, str]:
    sensitivity, specificity, flagged = (page.figure(point[name]) for name in ("sensitivity", "specificity", "flagged"))
    return sensitivity, specificity, flagged
