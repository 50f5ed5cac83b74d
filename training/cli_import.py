"""``python -m training import KIND``: films of four kinds of origin, one manifest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.cli_show import DATA, say, table

if TYPE_CHECKING:
    from training.importers.store import Imported

app = typer.Typer(no_args_is_help=True, help="Bring films into the form that training reads.")
SALT = "chest-triage"
SHOWN = 10
OutOption = Annotated[Path, typer.Option(help="Data set directory to write.")]
SaltOption = Annotated[str, typer.Option(help="Hashed with each patient number; keep it to keep patient keys and splits.")]
NameOption = Annotated[str, typer.Option(help="What the data set is called in reports and model card.")]


@app.command()
def nih(
    folder: Annotated[Path, typer.Argument(help="Folder with labels.csv and images_512/.")],
    out: OutOption = DATA,
    more: Annotated[list[Path] | None, typer.Option(help="A further folder of the same form, for training only.")] = None,
    salt: SaltOption = SALT,
) -> None:
    """NIH ChestX-ray14. Example: python -m training import nih ../shared/data/nih --out runs/nih."""
    from training.importers.nih import import_nih

    _show(import_nih(folder, out, salt, more or ()), out)


@app.command()
def folder(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with one subfolder per class.")],
    normal: Annotated[list[str], typer.Option(help="A subfolder of normal films; may be given again.")],
    abnormal: Annotated[list[str], typer.Option(help="A subfolder of abnormal films; may be given again.")],
    out: OutOption = Path("runs/folder"),
    patient: Annotated[str | None, typer.Option(help="Regular expression; its first group in the file name: patient.")] = None,
    radiologist: Annotated[bool, typer.Option("--radiologist", help="A radiologist sorted these films.")] = False,
    name: NameOption = "Films sorted into folders",
    salt: SaltOption = SALT,
) -> None:
    r"""A folder per class. Example: python -m training import folder DIR --normal A --abnormal B --patient '(person\d+)'."""
    from training.importers.folder import import_folder
    from training.importers.split import Split

    classes = {"normal": normal, "abnormal": abnormal}
    _show(import_folder(directory, out, Split(salt), classes, _own(name), patient, radiologist), out)
    if patient is None:
        say("Without --patient each picture counts as a patient of its own: films of one patient may lie in two splits.")


@app.command()
def dicom(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of DICOM files, at any depth.")],
    labels: Annotated[Path, typer.Option(help="CSV: file or sop_instance_uid, label; radiologist_label, patient, pool.")],
    out: OutOption = Path("runs/dicom"),
    name: NameOption = "DICOM films with a table of labels",
    salt: SaltOption = SALT,
) -> None:
    """DICOM files and a CSV. Example: python -m training import dicom films --labels films/labels.csv --out runs/site."""
    from training.importers.dicom import import_dicom
    from training.importers.split import Split

    _show(import_dicom(directory, labels, out, Split(salt), _own(name)), out)


@app.command()
def openi(
    reports: Annotated[Path, typer.Argument(help="Folder of the reports (XML).")],
    pictures: Annotated[Path, typer.Argument(help="Folder of the pictures (PNG or DICOM).")],
    projections: Annotated[Path | None, typer.Option(help="CSV: filename, projection (Frontal or Lateral).")] = None,
    out: OutOption = Path("runs/openi"),
    salt: SaltOption = SALT,
) -> None:
    """Open-i. Example: python -m training import openi ecgen-radiology NLMCXR_png --projections projections.csv."""
    from training.importers.openi import import_openi
    from training.importers.split import Split

    _show(import_openi(reports, pictures, out, Split(salt), projections), out)


def _own(name: str) -> dict[str, Any]:
    """The source of films that no publisher describes."""
    said = {"provider": "this site", "download": "not published", "paper": "none", "licence": "as the site decides"}
    return {"name": name, **said}


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
    say(f"same picture twice: {len(imported.pairs)} pairs within a split or with extra; none across train, val and test")
    say(f"{out}: manifest digest {data.digest()[:16]}; next: python -m training audit --data {out}")
