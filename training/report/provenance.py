"""Where it all comes from: labels and their ceiling, limits, pedigree, credit."""

from typing import TYPE_CHECKING

from training import card, evaluate
from training.report import page
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence


def labels(evidence: "Evidence") -> Section:
    """How far the labels can be trusted."""
    recipe = evidence.run.recipe.labels
    lines = [evidence.metrics["label_ceiling"] if evidence.metrics else evaluate.label_ceiling(evidence.data)]
    lines.append(
        "Text-mined labels come from reports by a program: it errs, and a report may pass over what the film shows. "
        "Agreement with text labels therefore says how well a network repeats reports, not how well it sees disease."
    )
    if recipe.prefer_radiologist:
        lines.append(
            f"Trained on the radiologist's label where there is one (weight {recipe.radiologist:g}), else on the report's "
            f"(weight {recipe.text:g}; {recipe.peer:g} where a peer network has scored the film)."
        )
    else:
        lines.append("Trained on text labels alone.")
    lines += card.softening() if recipe.soften else []
    return Section("labels", "Labels and their ceiling", (page.bullets(lines),))


def limits(evidence: "Evidence") -> Section:
    """What to keep in mind."""
    return Section("limits", "Limits", (page.paragraph(card.STATEMENT), page.bullets(card.limits(evidence.data))))


def pedigree(evidence: "Evidence") -> Section:
    """Commit, libraries, digests, seeds, recipe: enough to make the network again."""
    found, recipe = evidence.pedigree, evidence.run.recipe
    changed = " (marked dirty: the source had changes that this commit does not hold)" if "dirty" in found["commit"] else ""
    rows = [
        ("commit", found["commit"] + changed),
        ("data set", found["data"]),
        ("manifest digest", found["manifest_digest"]),
        *((f"{split} patients digest", digest) for split, digest in found["patients"].items()),
        ("seeds", ", ".join(map(str, recipe.schedule.seeds))),
        ("network", f"{evidence.run.architecture['builder']} {evidence.run.architecture['arguments']}"),
        ("preprocessing", recipe.input.spec().spec_id),
        ("training time", f"{found['seconds'] / 60:.1f} min"),
        *((name, version) for name, version in found["libraries"].items()),
    ]
    blocks = (page.facts(rows), page.source_text("Recipe", evidence.recipe_text))
    return Section("pedigree", "Pedigree", blocks)


def credit(evidence: "Evidence") -> Section:
    """Who made the data."""
    return Section(
        "credit",
        "Credit",
        (
            page.bullets(card.credits(evidence.data, evidence.pedigree)),
            page.paragraph("This page shows films: treat it as you treat the films themselves.", "note"),
        ),
    )
