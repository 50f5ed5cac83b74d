"""Invented films for the importers: a bright chest-like picture, different for each number; PNG, or DICOM as a site has it."""

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from training.importers.wrap import film_dataset


def grey(number: int, side: int = 64, abnormal: bool = False) -> NDArray[np.uint8]:
    """Dark corners, bright middle and bottom; smooth blots of its own, so that no two numbers look alike."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    film = 90 + 80 * y + 60 * np.exp(-(((x - 0.5) / 0.12) ** 2)) - 60 * np.exp(-((y / 0.2) ** 2)) * (np.abs(x - 0.5) * 2)
    blots = np.kron(rng.normal(0, 22, (8, 8)), np.ones((side // 8, side // 8)))
    film = film + blots + (40 * np.exp(-(((x - 0.3) / 0.15) ** 2) - ((y - 0.6) / 0.15) ** 2) if abnormal else 0)
    return np.clip(film, 0, 255).astype(np.uint8)


def save_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def site_dicom(pixels: NDArray[np.uint8], patient: str, view: str = "PA", age: str = "045Y") -> Dataset:
    """As a hospital would store it: with a name, and with the finding in a description."""
    study, series, instance = (generate_uid() for _ in range(3))
    dataset = film_dataset(
        pixels, sop_instance_uid=instance, study_instance_uid=study, series_instance_uid=series, view=view, sex="M"
    )
    dataset.PatientName, dataset.PatientID, dataset.PatientAge = "Doe^Jane", patient, age
    dataset.StudyDescription = "Large effusion, abnormal"
    dataset.StudyDate = "20200101"
    return dataset


def save_dicom(path: Path, dataset: Dataset) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = BytesIO()
    dataset.save_as(encoded, enforce_file_format=True)
    path.write_bytes(encoded.getvalue())
