"""``python -m training compare`` and ``promote``: two networks on the same films; the gate before a bundle may serve."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli.show import say, table

if TYPE_CHECKING:
    from training.promote import Check

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Directory = Annotated[Path, typer.Argument(help="Run or bundle directory, evaluated.")]


def compare(first: Directory, second: Directory, as_json: JsonOption = False) -> None:
    """Differences of two networks on the same test films. Example: python -m training compare runs/best runs/recommended."""
    from training import compare as step

    found = step.compare(step.read(first), step.read(second))
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return
    heads = ["group", f"{found['first']} − {found['second']}"]
    for who, groups in found["auc"].items():
        rows = [[name, _difference(values)] for name, values in groups.items()]
        table(f"test: difference of AUC against {who} labels", heads, rows)
    rows = [
        [f"{name}, {who}", _difference(v)] for who, values in found["operating_point"].items() for name, v in values.items()
    ]
    table("test: difference at each one's operating point", heads, rows)
    say(f"{found['films']} films; left out, as their labels differ: {found['left_out_for_other_labels']}.")
    say(f"95 % intervals: AUC, paired {found['auc_interval']}; shares, Newcombe's for pairs (p: McNemar). Positive: abnormal.")


def promote(
    candidate: Annotated[Path, typer.Argument(help="Bundle directory that wants to serve.")],
    against: Annotated[Path | None, typer.Option(help="The bundle that serves; default: the packaged one.")] = None,
    first: Annotated[Path | None, typer.Option(help="The first one released; default: the packaged one.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Its data set: test scores (a counted look) and train labels are gone over again. Without it nothing passes."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON to write; default CANDIDATE.promotion.json.")] = None,
    approved_by: Annotated[str, typer.Option(help="Who allows it where evidence is wanting (never where a check fails).")] = "",
    reason: Annotated[str, typer.Option(help="Why; needed with --approved-by.")] = "",
    why_ece: Annotated[str, typer.Option(help="Why a calibration error above 0.05 is acceptable.")] = "",
    as_json: JsonOption = False,
) -> None:
    """The gate. Example: python -m training promote DIR --data runs/nih. Exit code 0: may be installed; 1: may not."""
    if bool(approved_by.strip()) != bool(reason.strip()):
        raise typer.BadParameter("an approval needs a name and a reason", param_hint="--approved-by, --reason")
    from training import candidate as bench
    from training import evaluate, manifest
    from training import promote as gate
    from training.run import atomically
    from triage.inference.load import load_classifier
    from triage.inference.registry import DEFAULT, PACKAGED

    classifier = load_classifier(candidate)
    scored, training_data, bundle_id = bench.opened(candidate)
    serving, released = against or PACKAGED / DEFAULT, first or PACKAGED / DEFAULT
    paths = {"the serving bundle": serving, "the first bundle": released}
    if serving == released:
        paths = {"the serving and first bundle": serving}
    references = {name: bench.opened(path) for name, path in paths.items()}
    recomputed = None
    if data:
        films = manifest.read(data)
        training_data = bench.look_again(training_data, films)
        bench.check_films(scored, films)
        evaluate.count_look(films, ["promote", candidate.name], datetime.now(UTC))
        recomputed = bench.recompute(scored, classifier, films)
        # a site's own films: what serves was tested on others and has to show what it does on these
        references = {
            name: (bench.rescored(one[0], load_classifier(paths[name]), films), *one[1:])
            if one[0].films.keys() != scored.films.keys()
            else one
            for name, one in references.items()
        }
    checks = gate.judge(
        gate.Evidence(
            candidate=scored,
            references={name: reference[0] for name, reference in references.items()},
            training_data=training_data,
            reference_training_data={name: reference[1] for name, reference in references.items()},
            latency_ms=bench.latency_ms(candidate, classifier, time.perf_counter),
            recomputed=recomputed,
            why_ece=why_ece,
        )
    )
    verdict = gate.overall(checks)
    allowed = gate.allowed(verdict, approved_by)
    record = {
        "candidate": classifier.model.label,
        "bundle_id": bundle_id,
        "against": {name: reference[2] for name, reference in references.items()},
        "decided_at": datetime.now(UTC).isoformat(),
        "checks": [check.as_dict() for check in checks],
        "verdict": verdict,
        "may_be_installed": allowed,
        "approved_by": approved_by.strip() or None,
        "reason": reason.strip() or None,
    }
    target = out or candidate.absolute().with_name(f"{candidate.absolute().name}.promotion.json")
    atomically(target, (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    if as_json:
        print(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        show_gate(checks, record, candidate, target)
    if not allowed:
        raise typer.Exit(1)


def show_gate(checks: "list[Check]", record: dict[str, Any], candidate: Path, target: Path) -> None:
    """The table, the verdict and what to do next."""
    rows = [[check.name, check.rule, check.measured, str(check.verdict)] for check in checks]
    table(f"{record['candidate']}: may it serve?", ["check", "rule", "measured", "verdict"], rows)
    said = f"overall: {record['verdict']}"
    if record["approved_by"]:
        said += f"; {'approved' if record['may_be_installed'] else 'cannot be approved'} by {record['approved_by']}"
    say(f"{said} → {target}")
    if record["may_be_installed"]:
        say(f"next: triage models install {candidate}; triage models activate {record['bundle_id'][:12]}")
        say("to go back: triage models rollback")
    elif record["verdict"] == "fail":
        say("next: do not install it; look at the checks that failed, mend data or recipe, train again")
    else:
        say("next: more test films; or a named person takes the risk: --approved-by NAME --reason TEXT")


def _difference(values: dict[str, Any]) -> str:
    from training.paired import Difference

    return str(Difference(**values))
