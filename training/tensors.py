"""Films → input tensors, through the service's own preprocessing; kept beside the films, one file per preprocessing."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from training import progress
from training.errors import TrainingError
from training.files import replacing
from training.manifest import DataSet, Film
from triage.domain.errors import AssessmentError
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

Tensors = NDArray[np.float32]


def tensors(data: DataSet, films: Sequence[Film], spec: PreprocessingSpec) -> Tensors:
    """The films' tensors, (n, H, W, 1) float32 in 0..1, in the order asked for.

    Raises:
        TrainingError: a film is missing or cannot be used; says which.
    """
    store = _store(data, spec)
    if not store.exists():
        whole = np.stack([_tensor(data, film, spec) for film in progress.track(data.films, "preprocessing")])
        store.parent.mkdir(exist_ok=True)
        with replacing(store) as file:
            np.save(file, whole, allow_pickle=False)
    place = {film.digest: number for number, film in enumerate(data.films)}
    chosen: Tensors = np.load(store, mmap_mode="r", allow_pickle=False)[[place[film.digest] for film in films]]
    return chosen


def bytes_to_write(data: DataSet, spec: PreprocessingSpec) -> int:
    """How much disk :func:`tensors` will take: nothing where the tensors are kept already."""
    size = np.dtype(np.float32).itemsize * spec.height * spec.width * len(data.films)
    return 0 if _store(data, spec).exists() else size


def _store(data: DataSet, spec: PreprocessingSpec) -> Path:
    return data.path / "tensors" / f"{data.digest()[:16]}-{spec.spec_id[:16]}.npy"


def _tensor(data: DataSet, film: Film, spec: PreprocessingSpec) -> Tensors:
    try:
        return preprocess(dcmread(data.dicom(film)), spec)
    except (OSError, AssessmentError) as error:
        raise TrainingError(f"film {film.source_name} ({film.digest[:12]}): {error}; import again or drop its row") from None
