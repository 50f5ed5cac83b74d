"""The straightforward way from a file to a tensor, timed: pydicom with its usual plug-ins, then OpenCV, by the peers' Python.

Reads paths from standard input, one a line; answers each with milliseconds and the decoder's error, if any. What is written
here is what the libraries' own documentation shows; nothing of the product is used.
"""

import sys
import time

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.pixels import apply_modality_lut, apply_voi_lut


def tensor(path: str, side: int) -> np.ndarray:
    """Decode, modality LUT, VOI LUT, polarity, area average, percentiles: (side, side, 1) float32."""
    dataset = dcmread(path)
    pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        pixels = pixels.max() - pixels
    dark, bright = np.percentile(pixels, (1, 99))
    grey = np.clip((pixels - dark) / (bright - dark), 0, 1).astype(np.float32)
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)[:, :, np.newaxis]


def read_and_resize(path: str, side: int) -> np.ndarray:
    """The least that can be done with an uncompressed film: read the file, average its pixels."""
    with open(path, "rb") as file:
        data = file.read()
    pixels = np.frombuffer(data[-3000 * 2500 * 2 :], dtype=np.uint16).reshape(3000, 2500)
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Until the questions end."""
    cv2.setNumThreads(1)
    ways = {"whole": tensor, "least": read_and_resize}
    for line in sys.stdin:
        way, path = line.rstrip("\n").split(" ", 1)
        began = time.perf_counter()
        try:
            ways[way](path, 128)
        except Exception as error:
            print(f"nan {type(error).__name__}", flush=True)
            continue
        print(f"{1000 * (time.perf_counter() - began):.3f} ok", flush=True)


if __name__ == "__main__":
    main()
