"""Films of any origin → a data set: each wrapped and written, splits and twins checked, then the manifest."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from training import duplicates, manifest, progress
from training.errors import TrainingError
from training.importers.entry import Entry
from training.importers.read import UnreadableError
from training.importers.split import Split
from training.importers.suspects import suspects
from training.interrupt import Stop, on_signal
from triage.domain.errors import AssessmentError
from triage.domain.identifiers import is_digest
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

SPEC = PreprocessingSpec(height=64, width=64)
"""The size at which films are tried, compared and looked over."""


Opener = Callable[[], tuple[Entry, Dataset]]
"""Opens one film; raises :class:`training.importers.read.UnreadableError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import has to tell: the data set, films left out, suspects (each with a reason), the same picture twice.

    ``notes``: sentences of the importer's own.
    """

    data: manifest.DataSet
    left_out: list[tuple[str, str]]
    suspects: list[tuple[str, str]]
    pairs: list[duplicates.Pair]
    notes: Sequence[str] = ()


def store(
    openers: Sequence[tuple[str, Opener]],
    target: Path,
    split: Split,
    source: dict[str, Any],
    *,
    drop_suspects: bool = False,
    notes: Sequence[str] = (),
) -> Imported:
    """Write every film that can be used under ``target``; the manifest comes last: until then nothing counts.

    Films are named by their digest and get that name when they are whole, so an import that ends early leaves the data set
    of before as it was, or none. Films that no manifest names any more are removed at the end.

    ``openers``: the name of each file and how to open it. A film whose pixels come a second time, byte for byte, within
    one patient is kept once. ``drop_suspects``: leave suspects of train out. Those of val and test stay: what is measured on
    must not be picked by what looks typical.

    Raises:
        TrainingError: no film can be used, ``target`` was made with another salt or another rule, the manifest or the
            twins are refused, or the disk is full.
        Interrupted: by SIGTERM or Ctrl-C.
    """
    with on_signal() as stop, _writing(target):
        _same_rule(target, split)
        (target / "dicom").mkdir(parents=True, exist_ok=True)
        films, pixels, left_out = _films(openers, target, split, stop)
        if not films:
            reason = f"; first: {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
            raise TrainingError(f"{target}: none of {len(openers)} files can be used{reason}; look at folder and options")
        doubts = dict(suspects([film.source_name for film in films], pixels))
        if drop_suspects:
            stay = [film.split != "train" or film.source_name not in doubts for film in films]
            dropped = [film.source_name for film, stays in zip(films, stay, strict=True) if not stays]
            films, pixels = [film for film, stays in zip(films, stay, strict=True) if stays], pixels[stay]
            left_out += [(name, f"suspect in train: {doubts[name]}") for name in dropped]
            doubts = {name: doubt for name, doubt in doubts.items() if name not in dropped}
            source = source | {"suspects": f"{len(dropped)} left out of train"}
        pairs = duplicates.find(films, pixels)
        duplicates.check(pairs)
        data = manifest.write(target, films, source | {"split": split.as_dict()})
        _sweep(target / "dicom", films)
    return Imported(data=data, left_out=left_out, suspects=list(doubts.items()), pairs=pairs, notes=notes)


def _films(
    openers: Sequence[tuple[str, Opener]], target: Path, split: Split, stop: Stop
) -> tuple[list[manifest.Film], NDArray[np.float32], list[tuple[str, str]]]:
    """Films, written, with their tensors (n, H, W, 1); and what was left out."""
    films: list[manifest.Film] = []
    tensors = np.empty((len(openers), SPEC.height, SPEC.width, 1), dtype=np.float32)
    left_out, seen = [], set()
    for name, opener in progress.track(openers, "importing"):
        stop.check()
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
        try:
            film = _write(entry, dataset, target, split)
        except (AttributeError, ValueError) as error:  # pydicom, of data sets without what PS3.10 asks for
            left_out.append((name, f"cannot be written as a DICOM file ({type(error).__name__})"))
            continue
        seen.add(twin)
        tensors[len(films)] = tensor
        films.append(film)
    return films, tensors[: len(films)], left_out


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """A block whose operating-system errors become one line; what a source cannot give, :mod:`read` tells."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{target}: cannot write ({error.strerror}), no data set was made; free some disk or name another --out, run again"
        ) from None


def _sweep(folder: Path, films: Sequence[manifest.Film]) -> None:
    """Remove what earlier imports left: films that the manifest does not name. Nothing that this module did not write."""
    named = {f"{film.digest}.dcm" for film in films}
    for path in folder.iterdir():
        digest, _, kind = path.name.partition(".")
        if path.name not in named and is_digest(digest) and kind in ("dcm", "dcm.part"):
            path.unlink()


def _write(entry: Entry, dataset: Dataset, target: Path, split: Split) -> manifest.Film:
    encoded = io.BytesIO()
    dcmwrite(encoded, dataset, enforce_file_format=True)
    digest = sha256(encoded.getvalue()).hexdigest()
    path = target / "dicom" / f"{digest}.dcm"
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(encoded.getvalue())  # not synced: 8 ms a film, and an import can be run again
    part.replace(path)
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
        raise TrainingError(
            f"{target} was imported with another salt or another rule of splitting; use the same, or another --out"
        )
