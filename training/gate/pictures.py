"""Films as grey pixels, pictures made of them as tensors: both through the service's own preprocessing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from training.errors import TrainingError
from training.gate.kinds import Pixels
from training.importers.wrap import film_dataset
from training.manifest import DataSet, Film
from triage.domain.errors import AssessmentError, PixelError
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

UID = "2.25.1"
"""Nobody sees it: such a data set lives for one preprocessing."""


def grey(data: DataSet, films: Sequence[Film], side: int, spec: PreprocessingSpec) -> Iterator[Pixels]:
    """The films as (rows, columns) uint8, air dark and bone light, no side longer than ``side`` and none enlarged.

    Raises:
        TrainingError: a film is missing or cannot be used; says which.
    """
    for film in films:
        try:
            dataset = dcmread(data.dicom(film))
            height, width = (min(side, max(16, int(dataset[keyword].value))) for keyword in ("Rows", "Columns"))
            yield np.round(preprocess(dataset, replace(spec, height=height, width=width))[:, :, 0] * 255).astype(np.uint8)
        except (OSError, KeyError, AssessmentError) as error:
            raise TrainingError(
                f"film {film.source_name} ({film.digest[:12]}): {error}; import again or drop its row"
            ) from None


def tensor(picture: Pixels, spec: PreprocessingSpec) -> NDArray[np.float32] | None:
    """The input tensor (H, W, 1) of a picture that came as a film; ``None``: preprocessing refuses it, so nothing scores it."""
    dataset = film_dataset(np.ascontiguousarray(picture), sop_instance_uid=UID, study_instance_uid=UID, series_instance_uid=UID)
    try:
        return preprocess(dataset, spec)
    except PixelError:
        return None
