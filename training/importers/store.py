"""Films of any origin → a data set: each wrapped and written, splits and twins checked, then the manifest."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from training import duplicates, manifest, progress
from training.errors import TrainingError
from training.importers.entry import Entry
from training.importers.read import UnreadableError
from training.importers.split import Split
from training.importers.suspects import suspects
from triage.domain.errors import AssessmentError
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

SPEC = PreprocessingSpec(height=64, width=64)
"""The size at which films are tried, compared and looked over."""


Opener = Callable[[], tuple[Entry, Dataset]]
"""Opens one film; raises :class:`training.importers.read.UnreadableError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has to tell: the data set, files left out, suspects (each with a reason), the same picture twice."""

    data: manifest.DataSet
    left_out: list[tuple[str, str]]
    suspects: list[tuple[str, str]]
    pairs: list[duplicates.Pair]


def store(openers: Sequence[tuple[str, Opener]], target: Path, split: Split, source: dict[str, Any]) -> Imported:
    """Write every film that can be used under ``target``; the manifest comes last.

    ``openers``: the name of each file and how to open it. A film whose pixels come a second time, byte for byte, within
    one patient is kept once.

    Raises:
        TrainingError: no film can be used, ``target`` was made with another salt or other shares, or the manifest or the
            twins are refused.
    """
    _same_rule(target, split)
    (target / "dicom").mkdir(parents=True, exist_ok=True)
    films, tensors, left_out, seen = [], [], [], set()
    for name, opener in progress.track(openers, "importing"):
        try:
            entry, dataset = opener()
            tensor = preprocess(dataset, SPEC)
        except (UnreadableError, AssessmentError) as error:
            left_out.append((name, str(error)))
            continue
        twin = (entry.patient, sha256(dataset.PixelData).digest())
        if twin in seen:
            left_out.append((name, "the same pixels as another film of this patient"))
            continue
        seen.add(twin)
        films.append(_write(entry, dataset, target, split))
        tensors.append(tensor)
    if not films:
        reason = f"; first: {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise TrainingError(f"{target}: none of {len(openers)} files can be used{reason}; look at folder and options")
    pixels = np.stack(tensors)
    pairs = duplicates.find(films, pixels)
    duplicates.check(pairs)
    data = manifest.write(target, films, source | {"split": split.as_dict()})
    return Imported(data=data, left_out=left_out, suspects=suspects([film.source_name for film in films], pixels), pairs=pairs)


def _write(entry: Entry, dataset: Dataset, target: Path, split: Split) -> manifest.Film:
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, enforce_file_format=True)
    digest = sha256(encoded.getvalue()).hexdigest()
    (target / "dicom" / f"{digest}.dcm").write_bytes(encoded.getvalue())
    return manifest.Film(
        digest=digest,
        source_name=entry.name,
        patient=split.key(entry.patient),
        view=entry.view,
        sex=entry.sex,
        age=entry.age,
        text_label=entry.text_label,
        radiologist_label=entry.radiologist_label,
        radiologist_source=entry.radiologist_source,
        findings=entry.findings,
        pool=entry.pool,
        split=entry.split or split.of(entry.patient),
        peer_probability=entry.peer_probability,
    )


def _same_rule(target: Path, split: Split) -> None:
    """A data set keeps its rule: with another one, films of the locked test would come into training."""
    try:
        before = json.loads((target / "source.json").read_text(encoding="utf-8")).get("split")
    except FileNotFoundError:
        return
    if before and before != split.as_dict():
        raise TrainingError(f"{target} was imported with another salt or other shares; use the same, or another --out")
