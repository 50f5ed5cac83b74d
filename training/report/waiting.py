"""The effect on waiting: the simulated list with this network's errors."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from training import card
from training.report import drawing, page, queue
from training.report.page import Section
from training.report.queue import GROUPS, Minutes
from triage.domain.worklist import head_start_words, span

if TYPE_CHECKING:
    from training.report.evidence import Evidence

ENDS = ("as measured", "lower ends of both intervals", "upper ends of both intervals")


def section(evidence: "Evidence") -> Section:
    """Both scenes with the measured error rates, and how far the rates' intervals move the result."""
    who, point = error_rates(evidence)
    if point is None:
        return Section("waiting", "Expected effect on waiting", (page.paragraph("No error rates: a class has no films."),))
    rates = [(point["sensitivity"][end], point["specificity"][end]) for end in ("value", "low", "high")]
    blocks = [
        page.paragraph(
            f"Simulated with the service's own ordering: {queue.STUDIES:,} studies, one reader who always takes the first "
            f"unread one, readings of {queue.READING:g} min on average (exponential), Poisson arrivals, "
            f"{page.percent(queue.PREVALENCE)} abnormal, none urgent by request, flagged studies "
            f"{head_start_words(queue.POLICY.flagged)} head start; the network answers at once. Its error rates are those "
            f"of {evidence.shown.name} against {card.SOURCES[who]}: sensitivity {page.figure(point['sensitivity'])}, "
            f"specificity {page.figure(point['specificity'])}, taken to be independent of how long a study takes to read. "
            f"Seed {queue.SEED}."
        ),
    ]
    results = {scene: queue.compare(scene, *rates[0]) for scene in queue.SCENES}
    blocks.append(
        page.plot(
            chart(results),
            "Mean wait in hours: ring, in order of arrival; dot, in triage order. Missed: abnormal studies that the "
            "network does not flag; they and the normal ones pay for what the flagged ones gain.",
        )
    )
    for scene, found in results.items():
        rows = [
            (group, str(len(found["triage"][group])), *(cell for name in found for cell in _figures(found[name][group])))
            for group in GROUPS
        ]
        heads = (
            "studies",
            "n",
            *(f"{what}, {name}" for name in ("by arrival", "triage") for what in ("mean", "median", "p95")),
        )
        blocks.append(page.table(f"Wait, {scene.name}", heads, rows))
    blocks.append(_ends(rates))
    blocks.append(
        page.paragraph(
            "A reading list shares waiting out; it makes none disappear: the mean over all studies stays about the same. "
            "Results of one simulated stream: neighbouring figures differ by chance, and a site's own arrivals, readers "
            "and share of abnormal films decide what it will see.",
            "note",
        )
    )
    return Section("waiting", "Expected effect on waiting", tuple(blocks))


def in_short(evidence: "Evidence") -> list[str]:
    """The first scene in a sentence; none where there are no error rates."""
    _, point = error_rates(evidence)
    if point is None:
        return []
    found = queue.compare(queue.SCENES[0], point["sensitivity"]["value"], point["specificity"]["value"])
    before, after, missed = (
        _mean(found[under][group]) for under, group in (("arrival", GROUPS[0]), ("triage", GROUPS[0]), ("triage", GROUPS[2]))
    )
    sentence = (
        f"On a simulated list (one reader, busy {page.percent(queue.SCENES[0].load)} of the time, "
        f"{page.percent(queue.PREVALENCE)} abnormal) these error rates bring the mean wait of abnormal studies from "
        f"{_wait(before)} in order of arrival to {_wait(after)}, that of the abnormal ones it misses to {_wait(missed)}."
    )
    return [sentence]


def error_rates(evidence: "Evidence") -> tuple[str, dict[str, Any] | None]:
    """The operating point against the best label source that has films of both classes."""
    for who in evidence.shown.by_source():
        point = evidence.shown.operating_point[who]
        if point["sensitivity"]["n"] and point["specificity"]["n"]:
            return who, point
    return "text", None


def chart(results: dict[queue.Scene, dict[str, dict[str, Minutes]]]) -> Markup:
    """A panel a scene, a row a group, from ring to dot."""
    places = np.arange(len(GROUPS))[::-1]
    with drawing.sheet(11, 2.9, columns=len(results), sharey=True) as (figure, axes):
        for axis, (scene, found) in zip(axes, results.items(), strict=True):
            for place, group in zip(places, GROUPS, strict=True):
                before, after = (_mean(found[name][group]) / 60 for name in ("arrival", "triage"))
                axis.plot([before, after], [place, place], color=drawing.GREY, linewidth=1.2)
                axis.plot(
                    before, place, "o", ms=9, mfc="white", mec=drawing.INK, mew=1.8, label="by arrival" if place == 0 else None
                )
                axis.plot(after, place, "o", ms=8, color=drawing.BLUE, label="triage order" if place == 0 else None)
            axis.set_title(scene.name.partition(":")[0])
            axis.set(xlabel="mean wait, hours", ylim=(-0.6, len(GROUPS) - 0.4))
            axis.set_xlim(left=0)
            axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            axis.set_yticks(places, GROUPS)
        axes[0].legend(loc="upper right")
        return drawing.svg(figure)


def _ends(rates: Sequence[tuple[float, float]]) -> Markup:
    rows, columns = [], (("arrival", GROUPS[0]), ("triage", GROUPS[0]), ("triage", GROUPS[2]), ("triage", GROUPS[3]))
    for scene in queue.SCENES:
        for name, pair in zip(ENDS, rates, strict=True):
            found = queue.compare(scene, *pair)
            cells = (_wait(_mean(found[under][group])) for under, group in columns)
            rows.append((f"{scene.name.partition(':')[0]}, {name}", f"{pair[0]:.3f}", f"{pair[1]:.3f}", *cells))
    heads = (
        "scene and error rates",
        "sensitivity",
        "specificity",
        "abnormal, by arrival",
        "abnormal, triage",
        "missed, triage",
        "normal, triage",
    )
    return page.table("Mean wait, if the true error rates lie at the ends of their intervals", heads, rows)


def _figures(found: Minutes) -> tuple[str, str, str]:
    if not len(found):
        return "–", "–", "–"
    return _wait(float(found.mean())), _wait(float(np.median(found))), _wait(float(np.percentile(found, 95)))


def _mean(found: Minutes) -> float:
    return float(found.mean()) if len(found) else float("nan")


def _wait(minutes: float) -> str:
    return span(timedelta(minutes=minutes)) if np.isfinite(minutes) else "–"
