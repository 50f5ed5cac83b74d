"""The data: films, patients, labels; view, sex and age by class in every split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from training import statistics
from training.manifest import LABELS, SPLITS, UNKNOWN_AGE, Film
from training.report import page
from training.report.films import CHILD
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence


def section(evidence: "Evidence") -> Section:
    """Test labels are counted only where the test split has been evaluated."""
    splits = {split: evidence.data.split(split) for split in SPLITS}
    told = [split for split in SPLITS[:3] if split != "test" or evidence.test]
    counts = [
        (split, f"{len(films):,}", f"{len({film.patient for film in films}):,}") for split, films in splits.items() if films
    ]
    shares = [(split, *_abnormal(splits[split])) for split in told]
    kinds = [(f"{split}, {label}", *_kind(splits[split], label)) for split in told for label in LABELS]
    blocks = [
        page.table("Films and patients; no patient is in two of train, val, test", ("split", "films", "patients"), counts),
        page.table("Share of abnormal films", ("split", "radiologists' labels", "text-mined labels", "best label"), shares),
        page.table(
            "Who is on the films, by best label (the radiologist's where there is one, else the report's)",
            ("split and class", "films", "PA", "AP", "women", "men", f"under {CHILD}", "age, median (quartiles)"),
            kinds,
        ),
    ]
    if "test" not in told:
        blocks.append(page.paragraph("The labels of the test split are not counted: it has not been evaluated.", "note"))
    if splits["extra"]:
        blocks.append(page.paragraph("extra: further films of val and test patients; used for nothing.", "note"))
    return Section("data", "Data", tuple(blocks))


def _abnormal(films: Sequence[Film]) -> tuple[str, str, str]:
    seen = [film.radiologist_label for film in films if film.radiologist_label]
    columns = (seen, [film.text_label for film in films], [film.label for film in films])
    radiologist, text, best = (str(statistics.proportion(labels.count("abnormal"), len(labels))) for labels in columns)
    return radiologist, text, best


def _kind(films: Sequence[Film], label: str) -> tuple[str, ...]:
    chosen = [film for film in films if film.label == label]
    ages = [film.age for film in chosen if film.age != UNKNOWN_AGE]

    def share(hits: int, n: int) -> str:
        return page.percent(hits / n) if n else "–"

    views, sexes = ([getattr(film, name) for film in chosen] for name in ("view", "sex"))
    quartiles = "{1:.0f} ({0:.0f}–{2:.0f})".format(*np.percentile(ages, (25, 50, 75))) if ages else "unknown"
    return (
        f"{len(chosen):,}",
        *(share(views.count(view), len(chosen)) for view in ("PA", "AP")),
        *(share(sexes.count(sex), len(chosen)) for sex in "FM"),
        share(sum(age < CHILD for age in ages), len(ages)),
        quartiles,
    )
