"""Makes ``sample_dicom/``: 19 real films as DICOM objects of invented patients. See its README for what each one is.

``python -m training.make_samples --data ../shared/data/nih --out sample_dicom``
"""

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, JPEGLSLossless

from training.importers.delivery import Delivery, Exam, deliver
from training.importers.wrap import grey_of

SEED = "samples-1"
PER_LABEL_AND_VIEW = 4
FIRST_EXAM = datetime(2026, 11, 16, 8, 5)

DELIVERIES = (
    # each is used once for either label, so how a film is delivered says nothing of what it shows
    Delivery(computed=False, bits=12, photometric="MONOCHROME2", syntax=JPEGLSLossless),
    Delivery(computed=True, bits=8, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian),
    Delivery(computed=False, bits=12, photometric="MONOCHROME1", syntax=JPEGLosslessSV1),
    Delivery(computed=True, bits=12, photometric="MONOCHROME1", syntax=JPEGLSLossless),
    Delivery(computed=False, bits=8, photometric="MONOCHROME1", syntax=JPEGLosslessSV1),
    Delivery(computed=True, bits=12, photometric="MONOCHROME2", syntax=JPEGLosslessSV1),
    Delivery(computed=False, bits=8, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian),
    Delivery(computed=True, bits=8, photometric="MONOCHROME1", syntax=JPEGLSLossless),
)
SYNTAX_NAMES = {
    ExplicitVRLittleEndian: "Explicit VR Little Endian",
    JPEGLosslessSV1: "JPEG Lossless (process 14, first-order prediction)",
    JPEGLSLossless: "JPEG-LS Lossless",
}
SPECIAL = Delivery(computed=False, bits=8, photometric="MONOCHROME2", syntax=JPEGLSLossless)
SPECIAL_KINDS = {
    "lateral_tag": "a frontal film whose View Position says left lateral",
    "paediatric_tag": "an adult's film whose Patient's Age says 9 years",
    "damaged": "the codestream ends after 60 % of its bytes",
}

_UNICODE, _LATIN_1 = "ISO_IR 192", "ISO_IR 100"
NAMES = {
    "F": (
        ("Nováková^Jana", _UNICODE), ("Okafor^Ngozi", _LATIN_1), ("Müller^Anneliese", _LATIN_1), ("Brown^Margaret", _LATIN_1),
        ("Tanaka^Yuki=田中^由紀=たなか^ゆき", _UNICODE), ("Fernández^Lucía", _LATIN_1), ("Kowalska^Zofia", _LATIN_1),
        ("Haddad^Leila", _LATIN_1), ("Ødegård^Ingrid", _LATIN_1), ("Sharma^Priya", _LATIN_1), ("Nguyễn^Thị Mai", _UNICODE),
        ("Papadopoulou^Eleni", _LATIN_1), ("Clarke^Susan", _LATIN_1), ("Costa^Beatriz", _LATIN_1),
    ),
    "M": (
        ("Weber^Jürgen", _LATIN_1), ("Diallo^Mamadou", _LATIN_1), ("Šimić^Ivan", _UNICODE), ("Johnson^Robert", _LATIN_1),
        ("Kim^Minjun=金^民俊=김^민준", _UNICODE), ("García^José", _LATIN_1), ("Rossi^Matteo", _LATIN_1),
        ("Петров^Алексей", _UNICODE), ("Lindqvist^Åke", _LATIN_1), ("Mensah^Kwame", _LATIN_1), ("Yılmaz^Emre", _UNICODE),
        ("Smith^Daniel", _LATIN_1), ("Dubois^Rémi", _LATIN_1), ("Singh^Arjun", _LATIN_1),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A film of ``labels.csv`` and what becomes of it. ``kind``: ``film`` or a key of ``SPECIAL_KINDS``."""

    row: dict[str, str]
    kind: str
    delivery: Delivery


def choose(rows: list[dict[str, str]]) -> list[Choice]:
    """Sixteen films and three special ones, by a rule that knows no score; in the order of their file names.

    For each text label and view the first ``PER_LABEL_AND_VIEW`` of: films whose radiologist label agrees, films without
    one, films where it disagrees; within those, pool ``a`` last; within those, by SHA-256 of seed and NIH file name. The
    special ones are the next three in order of that hash.
    """
    films = sorted((row for row in rows if row["split"] == "test"), key=_rank)
    chosen: list[Choice] = []
    for label in ("abnormal", "normal"):
        of_label = [
            row
            for view in ("AP", "PA")
            for row in [row for row in films if (row["label"], row["view"]) == (label, view)][:PER_LABEL_AND_VIEW]
        ]
        of_label.sort(key=_hash)
        chosen += [Choice(row=row, kind="film", delivery=delivery) for row, delivery in zip(of_label, DELIVERIES, strict=True)]
    taken = {choice.row["file"] for choice in chosen}
    rest = sorted((row for row in films if row["file"] not in taken), key=_hash)
    chosen += [Choice(row=row, kind=kind, delivery=SPECIAL) for row, kind in zip(rest, SPECIAL_KINDS, strict=False)]
    return sorted(chosen, key=lambda choice: _hash(choice.row, "order"))


def make(data: Path, out: Path) -> list[dict[str, str | int | None]]:
    """Write the films, ``origins.json`` and ``README.md`` under ``out``; returns what ``origins.json`` holds.

    Raises:
        OSError: ``labels.csv`` or an original is missing, or ``out`` cannot be written.
    """
    originals = data / "originals_1024"
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (originals / row["file"]).exists()]
    out.mkdir(parents=True, exist_ok=True)
    names = {sex: iter(people) for sex, people in NAMES.items()}
    origins = []
    for number, choice in enumerate(choose(rows), start=1):
        name, character_set = next(names[choice.row["sex"]])
        dataset = deliver(grey_of(originals / choice.row["file"]), _exam(choice, number, name, character_set), choice.delivery)
        if choice.kind == "damaged":
            _damage(dataset)
        path = out / f"film_{number:02d}.dcm"
        dcmwrite(path, dataset, enforce_file_format=True)
        origins.append(_origin(choice, path, dataset))
    (out / "origins.json").write_text(json.dumps(origins, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "README.md").write_text(readme(origins), encoding="utf-8")
    return origins


def _rank(row: dict[str, str]) -> tuple[int, bool, str]:
    agreement = 1 if not row["radiologist_label"] else 0 if row["radiologist_label"] == row["label"] else 2
    return agreement, row["pool"] == "a", _hash(row)


def _hash(row: dict[str, str], use: str = "choice") -> str:
    return sha256(f"{SEED}/{use}/{row['file']}".encode()).hexdigest()


def _exam(choice: Choice, number: int, name: str, character_set: str) -> Exam:
    digits = int(_hash(choice.row, "patient"), 16)
    return Exam(
        key=f"{SEED}/{choice.row['file']}",
        patient_name=name,
        character_set=character_set,
        patient_id=f"{digits % 9_000_000 + 1_000_000}",
        accession_number=f"R26{digits // 9_000_000 % 900_000 + 100_000}",
        sex=choice.row["sex"],
        age_years=9 if choice.kind == "paediatric_tag" else int(choice.row["age"]),
        view="LL" if choice.kind == "lateral_tag" else choice.row["view"],
        taken_at=FIRST_EXAM + timedelta(minutes=47 * number),
    )


def _damage(dataset: Dataset) -> None:
    """As an interrupted copy leaves it: an object with a sound header whose pixel data end too early."""
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([frame[: len(frame) * 6 // 10]])


def _origin(choice: Choice, path: Path, dataset: Dataset) -> dict[str, str | int | None]:
    return {
        "file": path.name,
        "kind": choice.kind,
        "nih_file": choice.row["file"],
        "text_label": choice.row["label"],
        "radiologist_label": choice.row["radiologist_label"] or None,
        "radiologist_source": choice.row["radiologist_source"] or None,
        "pool": choice.row["pool"],
        "study_instance_uid": str(dataset.StudyInstanceUID),
        "sop_instance_uid": str(dataset.SOPInstanceUID),
        "modality": str(dataset.Modality),
        "view": str(dataset.ViewPosition),
        "bits_stored": int(dataset.BitsStored),
        "photometric_interpretation": str(dataset.PhotometricInterpretation),
        "transfer_syntax_uid": str(dataset.file_meta.TransferSyntaxUID),
        "transfer_syntax": SYNTAX_NAMES[dataset.file_meta.TransferSyntaxUID],
        "bytes": path.stat().st_size,
        "sha256": sha256(path.read_bytes()).hexdigest(),
    }


def readme(origins: list[dict[str, str | int | None]]) -> str:
    """The text of ``sample_dicom/README.md``."""
    special = [origin for origin in origins if origin["kind"] != "film"]
    kinds = "\n".join(f"- `{origin['file']}`: {SPECIAL_KINDS[str(origin['kind'])]}" for origin in special)
    keys = ("file", "nih_file", "modality", "view", "bits_stored", "photometric_interpretation", "transfer_syntax", "kind")
    table = "\n".join("| " + " | ".join(str(origin[key]) for key in keys) + " |" for origin in origins)
    digests = "\n".join(f"{origin['sha256']}  {origin['file']}" for origin in origins)
    return README.format(kinds=kinds, table=table, digests=digests, command=__doc__.strip().splitlines()[-1], seed=SEED)


README = """# Sample films

Nineteen real chest radiographs as DICOM objects, one study each, for the demo, for tests and for trying out a modality's
connection. Written by {command}; do not edit by hand.

**The patients are invented**: names, identifiers, accession numbers, dates and times, and the birth date that follows from
the age. Sex, age and view are those that NIH published with the film, save where the list of special files says otherwise.
Pixel spacing is nominal. No attribute and no file name holds a finding or a label.

## Credit and terms
The pictures are from **NIH ChestX-ray14**. The NIH Clinical Center is the data provider; the data are at
<https://nihcc.app.box.com/v/ChestXray-NIHCC>; the paper is Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM,
*ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on Weakly-Supervised Classification and Localization of
Common Thorax Diseases*, IEEE CVPR 2017. NIH allows use without restriction, with this credit. Radiologist labels in
`origins.json`: RSNA Pneumonia Detection Challenge 2018 (RSNA and STR), and Tang et al., npj Digital Medicine 2020.

## How they were chosen
Before any score was seen, from those films of the locked test split that are at hand as NIH released them (1024 × 1024).
For each text label and view, four films: first those whose radiologist label agrees, then those without one, then the
others; within that, films of pool `a` last (a public collection in which brightness alone goes far to tell the label);
within that, in order of SHA-256 of `{seed}/choice/<NIH file name>`. The three special ones are the next in order of that
hash. Eight ways of delivery are each used once for either text label, so that the way a film is delivered says nothing of
what it shows.

## What each shows
| file | NIH file | modality | view | bits | photometric | transfer syntax | kind |
|---|---|---|---|---|---|---|---|
{table}

12-bit films hold 13 · v + 300 for NIH's grey value v, and a window that spans it; MONOCHROME1 films hold the complement.

Special ones:
{kinds}

`origins.json` holds this table with text and radiologist labels, for the script that writes `expected.json`.

## SHA-256
```
{digests}
```
"""


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.make_samples", description="Make sample_dicom/ from NIH's films.")
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv and originals_1024/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args(argv)
    try:
        origins = make(arguments.data, arguments.out)
    except OSError as error:
        print(f"{error}; --data names the folder that holds labels.csv and originals_1024/", file=sys.stderr)
        return 1
    size = sum(int(origin["bytes"] or 0) for origin in origins)
    print(f"{len(origins)} films, {size / 1e6:.1f} MB, in {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
