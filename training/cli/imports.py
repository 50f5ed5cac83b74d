"""``python -m training import KIND``: films of five kinds of origin, one manifest."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.cli.show import DATA, say, table

if TYPE_CHECKING:
    from training.importers.store import Imported

app = typer.Typer(no_args_is_help=True, help="Bring films into the form that training reads.")
SALT = "chest-triage"
SHOWN = 10
OutOption = Annotated[Path, typer.Option(help="Data set directory to write.")]
SaltOption = Annotated[str, typer.Option(help="Hashed with each patient number; keep it to keep patient keys and splits.")]
DropOption = Annotated[bool, typer.Option("--drop-suspects", help="Leave suspects (inverted, turned) out of train.")]
NameOption = Annotated[str, typer.Option(help="What the data set is called in reports and model card.")]
SourceOption = Annotated[
    str | None, typer.Option(help="Whose films they are, for credit: a TOML file, or one of training/sources (kermany).")
]


@app.command()
def nih(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.csv, or Data_Entry_2017*.csv, and the pictures.")],
    out: OutOption = DATA,
    more: Annotated[list[Path] | None, typer.Option(help="A further folder of the same form, for training only.")] = None,
    lists: Annotated[
        bool | None, typer.Option("--lists/--no-lists", help="Split by NIH's two lists (default: where they are there).")
    ] = None,
    only_present: Annotated[
        bool, typer.Option("--only-present", help="Leave out films whose picture is missing or unreadable.")
    ] = False,
    radiologist: Annotated[
        Path | None, typer.Option(help="CSV of radiologists' labels: file, label (normal or abnormal), source.")
    ] = None,
    drop_suspects: DropOption = False,
    salt: SaltOption = SALT,
) -> None:
    """NIH ChestX-ray14. Example: python -m training import nih ChestXray-NIHCC --out runs/nih --only-present."""
    from training.importers.nih import import_nih

    _run(
        lambda: import_nih(
            folder,
            out,
            salt,
            more or (),
            lists=lists,
            only_present=only_present,
            radiologist=radiologist,
            drop_suspects=drop_suspects,
        ),
        out,
    )


@app.command()
def folder(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with one subfolder per class.")],
    normal: Annotated[list[str], typer.Option(help="A subfolder of normal films; may be given again.")],
    abnormal: Annotated[list[str], typer.Option(help="A subfolder of abnormal films; may be given again.")],
    out: OutOption = Path("runs/folder"),
    patient: Annotated[str | None, typer.Option(help="Regular expression; its first group in the file name: patient.")] = None,
    radiologist: Annotated[bool, typer.Option("--radiologist", help="A radiologist sorted these films.")] = False,
    drop_suspects: DropOption = False,
    name: NameOption = "Films sorted into folders",
    source: SourceOption = None,
    salt: SaltOption = SALT,
) -> None:
    r"""A folder per class. Example: python -m training import folder DIR --normal A --abnormal B --patient '(person\d+)'."""
    from training.importers.folder import import_folder
    from training.importers.origin import origin
    from training.importers.split import Split

    classes, described = {"normal": normal, "abnormal": abnormal}, origin(source, name)
    _run(lambda: import_folder(directory, out, Split(salt), classes, described, patient, radiologist, drop_suspects), out)
    if patient is None:
        say("Without --patient each picture counts as a patient of its own: films of one patient may lie in two splits.")


@app.command()
def dicom(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of DICOM files, at any depth.")],
    labels: Annotated[Path, typer.Option(help="CSV: file or sop_instance_uid, label; also radiologist_label, patient, split.")],
    out: OutOption = Path("runs/dicom"),
    drop_suspects: DropOption = False,
    name: NameOption = "DICOM films with a table of labels",
    source: SourceOption = None,
    salt: SaltOption = SALT,
) -> None:
    """DICOM files and a CSV. Example: python -m training import dicom films --labels films/labels.csv --out runs/site."""
    from training.importers.dicom import import_dicom
    from training.importers.origin import origin
    from training.importers.split import Split

    described = origin(source, name)
    _run(lambda: import_dicom(directory, labels, out, Split(salt), described, drop_suspects), out)


@app.command()
def openi(
    reports: Annotated[Path, typer.Argument(help="Folder of the reports (XML).")],
    pictures: Annotated[Path, typer.Argument(help="Folder of the pictures (PNG or DICOM).")],
    projections: Annotated[Path | None, typer.Option(help="CSV: filename, projection (Frontal or Lateral).")] = None,
    out: OutOption = Path("runs/openi"),
    drop_suspects: DropOption = False,
    salt: SaltOption = SALT,
) -> None:
    """Open-i. Example: python -m training import openi ecgen-radiology NLMCXR_png --projections projections.csv."""
    from training.importers.openi import import_openi
    from training.importers.split import Split

    _run(lambda: import_openi(reports, pictures, out, Split(salt), projections, drop_suspects), out)


@app.command()
def worklist(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that triage export wrote.")],
    out: OutOption = Path("runs/site"),
    drop_suspects: DropOption = False,
    name: NameOption = "Verdicts of this site's readers",
    salt: SaltOption = SALT,
) -> None:
    """The worklist's own verdicts. Example: triage export DIR && python -m training import worklist DIR --out runs/site."""
    from training.importers.origin import origin
    from training.importers.split import Split
    from training.importers.worklist import import_worklist

    _run(lambda: import_worklist(directory, out, Split(salt), origin(None, name), drop_suspects), out)


def _run(work: "Callable[[], Imported]", out: Path) -> None:
    """Import and show; an interruption is one line and exit code 75."""
    from training.interrupt import RESUMABLE, Interrupted

    try:
        imported = work()
    except Interrupted:
        typer.echo(f"training: {out}: import interrupted, no half data set is left; run the same command again", err=True)
        raise typer.Exit(RESUMABLE) from None
    _show(imported, out)


def _show(imported: "Imported", out: Path) -> None:
    from training.importers import summary

    data = imported.data
    for title, rows in (
        ("films by split", summary.by_split(data)),
        ("films by class (best label)", summary.by_class(data.films)),
    ):
        table(title, list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    say(summary.headline(data.films))
    for what, found in (("left out", imported.left_out), ("suspects, kept: look at them", imported.suspects)):
        say(f"{what}: {len(found)}")
        for name, reason in found[:SHOWN]:
            say(f"  {name}: {reason}")
        if len(found) > SHOWN:
            say(f"  … and {len(found) - SHOWN} more")
    for note in imported.notes:
        say(note)
    say(f"same picture twice: {len(imported.pairs)} pairs within a split or with extra; none across train, val and test")
    say(f"{out}: manifest digest {data.digest()[:16]}; next: python -m training audit --data {out}")
