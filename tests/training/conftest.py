"""A data set of 24 invented films: abnormal ones carry a bright blot, so that one epoch can learn something."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COLUMNS = (
    *("file", "patient_id", "followup", "age", "sex", "view", "label", "findings"),
    *("radiologist_label", "radiologist_source", "rsna_class", "reference_p", "pool", "split"),
)


def write_nih_folder(folder: Path, films: int = 24, side: int = 64) -> Path:
    """A folder in the form of the NIH importer's source."""
    rng = np.random.default_rng(7)
    (folder / "images_512").mkdir(parents=True)
    rows = []
    for number in range(films):
        abnormal = number % 2 == 1
        pixels = np.clip(rng.normal(90, 12, (side, side)) + np.linspace(-30, 30, side)[:, None], 0, 255)
        if abnormal:
            pixels[20:40, 20:40] += 70
        name = f"{number:08d}_000.png"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "images_512" / name)
        label = "abnormal" if abnormal else "normal"
        rows.append(
            {
                "file": name,
                "patient_id": number,
                "followup": 0,
                "age": 20 + number,
                "sex": "FM"[number // 2 % 2],
                "view": ("PA", "AP")[number // 2 % 2],
                "label": label,
                "findings": "Mass" if abnormal else "",
                "radiologist_label": label if number % 3 else "",
                "radiologist_source": "rsna" if number % 3 else "",
                "rsna_class": "",
                "reference_p": 0.5 if number % 5 == 0 else "",
                "pool": "ab"[number // 4 % 2],
                "split": ("train", "val", "test")[min(number // 8, 2)],
            }
        )
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return folder


RECIPE = """
name = "tiny"
purpose = "A test."
[network]
builder = "residual_gap"
[network.arguments]
widths = [4, 8]
strides = [1, 2]
[input]
height = 32
width = 32
[labels]
soften = true
peer = 0.3
[augment]
shift = 0.05
zoom = 0.05
rotate = 3.0
contrast = 0.1
brightness = 0.02
gamma = 0.1
noise = 0.01
erase = 0.2
flip = true
[schedule]
epochs = 1
batch = 4
ema = 0.5
patience = 3
seeds = [1, 2]
"""


@pytest.fixture
def nih_folder(tmp_path: Path) -> Path:
    return write_nih_folder(tmp_path / "source")


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path
