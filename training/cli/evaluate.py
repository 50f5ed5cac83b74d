"""``python -m training calibrate`` and ``evaluate``: val, then the counted look at test."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from training.cli.gate import show_gate
from training.cli.show import DATA, DataOption, figure, say, table

RunArgument = Annotated[Path, typer.Argument(help="Run directory, as train wrote it.")]
SensitivityOption = Annotated[
    float | None, typer.Option(help="Aim: at least this share of val's abnormal films is flagged; 0.90 where no aim is given.")
]
BudgetOption = Annotated[float | None, typer.Option(help="Aim instead: at most this share of val's films is flagged.")]
PrevalenceOption = Annotated[
    float | None, typer.Option(help="Share of abnormal films for which PPV and NPV are told; default: val's.")
]
TITLES = (("radiologist", "radiologists' labels"), ("text", "text-mined labels"))


def calibrate(
    run: RunArgument,
    data: DataOption = DATA,
    sensitivity: SensitivityOption = None,
    alert_budget: BudgetOption = None,
    prevalence: PrevalenceOption = None,
) -> None:
    """Fit probability and operating point on val. Example: python -m training calibrate runs/recommended --sensitivity 0.90."""
    for name, value in (("--sensitivity", sensitivity), ("--alert-budget", alert_budget), ("--prevalence", prevalence)):
        if value is not None and not 0 < value < 1:
            raise typer.BadParameter(f"{value} is not between 0 and 1", param_hint=name)
    if sensitivity is not None and alert_budget is not None:
        raise typer.BadParameter("give one aim, not two", param_hint="--sensitivity, --alert-budget")
    from training import calibrate as step
    from training import manifest
    from training.run import resume_at

    aim = step.Aim(sensitivity=sensitivity or step.SENSITIVITY, alert_budget=alert_budget)
    result = step.calibrate(resume_at(run), manifest.read(data), aim, prevalence)
    show_calibration(result["calibration"], result["operating_point"])
    say(f"next: python -m training gate {run} --data {data}")


def show_calibration(calibration: dict[str, Any], point: dict[str, Any]) -> None:
    """What was fitted on val, as tables."""
    rows = [
        [
            who,
            *(figure(calibration[when][who][f"{what}_interval"]) for what in ("ece", "brier") for when in ("before", "after")),
        ]
        for who in calibration["after"]
    ]
    table("val: calibration", ["labels", "ECE before", "after", "Brier before", "after"], rows)
    say(f"95 % intervals: {calibration['intervals']}.")
    values = point["predictive_values"]
    rows = [
        [who, *map(figure, shares.values()), *(_share(values[who][name]) for name in ("ppv", "npv"))]
        for who, shares in point["measured_on_val"].items()
    ]
    heads = ["labels", "sensitivity", "specificity", "flagged", "PPV", "NPV"]
    table(f"val: threshold {point['threshold']:.4f} ({point['aim']})", heads, rows)
    say(f"{values['method']}, {values['prevalence']:.3f}.")


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, side by side.")],
    data: DataOption = DATA,
    out: Annotated[Path | None, typer.Option(help="Also write all figures to this JSON file.")] = None,
) -> None:
    """Look at the locked test split. Example: python -m training evaluate runs/recommended runs/paper."""
    from training import baselines, manifest
    from training import evaluate as step
    from training.run import atomically, resume_at

    films = manifest.read(data)
    opened = [resume_at(path) for path in runs]
    for one in opened:
        one.check_trained_on(films.digest())
        for name in ("calibration.json", "operating_point.json"):
            one.read_json(name, "calibrate")
    looks = step.count_look(films, [path.name for path in runs], datetime.now(UTC))
    shared = {"test_looks": looks, **baselines.baselines(films), "label_ceiling": step.label_ceiling(films)}
    results = {path.name: step.evaluate(one, films) | shared for path, one in zip(runs, opened, strict=True)}
    for one, path in zip(opened, runs, strict=True):
        one.write_json("metrics.json", results[path.name])
    show_evaluation(results)
    if out:
        atomically(out, (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())
    say(f"next: python -m training bundle {runs[0]} --data {data} --out DIR --version 1.0.0")


def show_evaluation(results: dict[str, dict[str, Any]]) -> None:
    """Runs side by side, by run name: areas by group and finding, operating points, calibration, baselines, looks."""
    one = next(iter(results.values()))
    floor = one["linear_floor"]
    columns = {**{name: result["test"]["auc"] for name, result in results.items()}, "linear pixels": floor["auc"]}
    for who, title in TITLES:
        rows = [[group, *(figure(found[who][group]) for found in columns.values())] for group in floor["auc"][who]]
        table(f"test: AUC against {title}", ["group", *columns], rows)
    for who, title in TITLES:
        by_run = [result["test"]["findings"][who] for result in results.values()]
        rows = [[finding, *(figure(found[finding]) for found in by_run)] for finding in by_run[0]]
        if rows:
            table(f"test: AUC of films with a finding against normal ones, {title}", ["finding", *results], rows)
    rows = [
        [name, who, *(figure(value) for value in values.values())]
        for name, result in results.items()
        for who, values in result["test"]["operating_point"].items()
    ]
    table("test: at the operating point chosen on val", ["run", "labels", "sensitivity", "specificity", "flagged"], rows)
    rows = [
        [name, who, figure(values["ece_interval"]), figure(values["brier_interval"])]
        for name, result in results.items()
        for who, values in result["test"]["calibration"].items()
    ]
    table("test: calibration", ["run", "labels", "ECE", "Brier"], rows)
    for name, result in results.items():
        if result["image_gate"]:
            show_gate(f"test, {name}", result["image_gate"])
        else:
            say(f"{name} has no image gate: films are judged by their tags; fit one: python -m training gate {name}")
    say(f"95 % intervals: AUC {one['test']['auc_interval']}; shares Wilson.")
    say(one["label_ceiling"])
    say(f"Linear pixels reached {floor['reference']:.2f} (text labels) when the data were put together.")
    say(f"Looks at this test split so far: {one['test_looks']}.")


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
