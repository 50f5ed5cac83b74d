"""Open-i, Indiana University's chest films: reports (XML) and pictures (PNG, or the DICOM files)."""

import csv
import re
import xml.etree.ElementTree as ElementTree
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset

from training.errors import TrainingError
from training.importers import read
from training.importers.entry import Entry, described
from training.importers.split import Split
from training.importers.store import Imported, Opener, store
from triage.imaging.deidentify import without_identity

SOURCE = {
    "name": "Open-i, Indiana University chest X-rays",
    "provider": "Indiana University, through the National Library of Medicine",
    "download": "https://openi.nlm.nih.gov/faq#collection",
    "paper": "Demner-Fushman et al., Preparing a collection of radiology examinations, JAMIA 2016",
    "licence": "as stated at the download site",
    "limits": ["One network of hospitals; labels are manual index terms of the report; view (PA or AP), sex and age unknown."],
}
_SILENT = ("no indexing", "technical quality of image unsatisfactory")
"""Index terms that say nothing of the patient."""


def import_openi(
    reports: Path,
    pictures: Path,
    target: Path,
    split: Split,
    projections: Path | None = None,
    drop_suspects: bool = False,
) -> Imported:
    """The frontal films of the reports; normal where the index term is ``normal``, abnormal where it names a finding.

    ``projections``: a table with the columns ``filename`` and ``projection`` (Frontal or Lateral). The reports do not say
    which picture is lateral, so a PNG without a row there is left out; of a DICOM file its own tags decide, too.

    Raises:
        TrainingError: no report or no table there, or the data are refused.
    """
    paths = sorted(reports.rglob("*.xml"))
    if not paths:
        raise TrainingError(f"{reports}: no report (*.xml) there; give the folder that the archive of reports unpacks to")
    frontal = _projections(projections) if projections else {}
    found = {_key(path.name): path for path in sorted(pictures.rglob("*")) if path.suffix.lower() in read.PICTURES | {".dcm"}}
    openers: list[tuple[str, Opener]] = []
    unnamed = set(found)
    for report in paths:
        try:
            # the parser fetches nothing from outside, and expat bounds the growth of entities
            root = ElementTree.parse(report).getroot()  # noqa: S314
        except (OSError, ElementTree.ParseError) as error:
            openers.append((report.name, partial(_refuse, f"no report that can be read ({type(error).__name__})")))
            continue
        for image in root.iter("parentImage"):
            name = image.get("id", "")
            unnamed.discard(_key(name))
            path = found.get(_key(name), pictures / f"{name}.png")
            openers.append((name, partial(_open, root, report.stem, name, path, frontal.get(_key(name)))))
    notes = [f"in no report: {len(unnamed)} pictures"] if unnamed else []
    return store(openers, target, split, SOURCE, drop_suspects=drop_suspects, notes=notes)


def _open(root: ElementTree.Element, stem: str, name: str, path: Path, projection: str | None) -> tuple[Entry, Dataset]:
    terms = [" ".join((term.text or "").split()) for term in root.iter("major")]
    terms = [term for term in terms if term and not term.lower().startswith(_SILENT)]
    if not terms:
        raise read.UnreadableError("the report has no index term")
    identifier = root.find(".//uId")
    findings = [term for term in terms if term.lower() != "normal"]
    entry = Entry(
        name=name,
        patient=(identifier.get("id") if identifier is not None else None) or stem,
        text_label="abnormal" if findings else "normal",
        findings="|".join(findings),
        pool="openi",
    )
    if projection not in ("frontal", None):
        raise read.UnreadableError(f"{projection} projection: frontal films only")
    if path.suffix.lower() != ".dcm":
        if projection is None:
            raise read.UnreadableError("frontal or lateral? give a table with --projections")
        return entry, read.picture(path, f"openi/{name}")
    whole = read.dicom(path)
    told = described(entry, whole)
    if projection is None and not told.view:
        raise read.UnreadableError("frontal or lateral? give a table with --projections")
    return told, without_identity(whole, f"openi/{name}")


def _refuse(reason: str) -> tuple[Entry, Dataset]:
    raise read.UnreadableError(reason)


def _projections(table: Path) -> dict[str, str]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            return {_key(row["filename"]): row["projection"].strip().lower() for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise TrainingError(f"{table}: {error}; give a CSV file with the columns filename and projection") from None


def _key(name: str) -> str:
    """What the archives' names of one picture share: ``CXR1_1_IM-0001-4001`` is ``1_IM-0001-4001.dcm.png`` elsewhere."""
    stem = re.sub(r"(\.(dcm|png|jpe?g|tiff?|bmp))+$", "", name, flags=re.IGNORECASE)
    return re.sub(r"^CXR(\d+_(?=\d+_IM))?", "", stem, flags=re.IGNORECASE)
