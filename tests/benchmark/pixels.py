"""From file to tensor, by transfer syntax: the straightforward way and ours, in the same run."""

import math
import os
import statistics
import subprocess
import time
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom import dcmread
from pydicom.encaps import encapsulate
from scipy import ndimage

from tests.benchmark.films import SAMPLES
from triage.imaging.codecs import decode_frame
from triage.imaging.header import read_dataset
from triage.imaging.preprocess import preprocess
from triage.imaging.spec import PreprocessingSpec

ROWS, COLUMNS, BITS, SIDE = 3000, 2500, 14, 128
PEERS = Path(__file__).resolve().parents[2] / ".venv-peers" / "bin" / "python"
ROOT = "1.2.840.10008.1.2"
AIMS = {"JPEG 2000 lossless": 8.0, "JPEG 2000": 8.0, "JPEG Lossless": 3.0, "JPEG-LS": 1.5}


def main(quick: bool) -> None:
    """Print the table."""
    import tempfile

    rounds = 3 if quick else 9
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as temporary, _peer() as peer:
        films = _films(Path(temporary))
        print(f"\n{ROWS} × {COLUMNS} film of {BITS} bits, file → {SIDE} × {SIDE} tensor, one thread, ms, medians of {rounds}\n")
        print("| transfer syntax | file MB | straightforward | ours | times as fast | aim |\n|---|---|---|---|---|---|")
        for name, path in films.items():
            theirs, own = _measure(peer, "whole", path, rounds)
            ratio = f"**{theirs / own:.1f}**" if math.isfinite(theirs) else "cannot decode"
            aim = f"≥ {AIMS[name]:g}" if name in AIMS else ""
            print(f"| {name} | {path.stat().st_size / 1e6:.1f} | {theirs:.0f} | {own:.0f} | {ratio} | {aim} |", flush=True)
        least, own = _measure(peer, "least", films["uncompressed"], rounds)
        print(
            f"\nuncompressed against reading the file and resizing it with OpenCV: "
            f"{own:.1f} against {least:.1f} ms, {own / least:.2f} × (aim: ≤ 1.3)"
        )
    print(f"load average: {os.getloadavg()[0]:.2f}")


def _peer() -> subprocess.Popen[str]:
    if not PEERS.exists():
        raise SystemExit("the peers are not installed; run: make peers")
    command = [str(PEERS), str(Path(__file__).with_name("straightforward.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _measure(peer: subprocess.Popen[str], way: str, path: Path, rounds: int) -> tuple[float, float]:
    """Medians of both, taken in turn; the first round warms up."""
    theirs, own = [], []
    for _ in range(rounds + 1):
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdin.write(f"{way} {path}\n")
        peer.stdin.flush()
        theirs.append(float(peer.stdout.readline().split()[0]))
        began = time.perf_counter()
        with path.open("rb") as stream:
            preprocess(read_dataset(stream), PreprocessingSpec(height=SIDE, width=SIDE))
        own.append(1000 * (time.perf_counter() - began))
    return statistics.median(theirs[1:]), statistics.median(own[1:])


def _films(folder: Path) -> dict[str, Path]:
    """One real picture, enlarged, with the noise of a detector; in every transfer syntax."""
    source = dcmread(SAMPLES / "film_07.dcm")
    grey = decode_frame(source).astype(np.float32)
    large = ndimage.zoom(grey, (ROWS / grey.shape[0], COLUMNS / grey.shape[1]), order=1)
    noise = np.random.default_rng(7).normal(0, 12, large.shape)
    deep = np.clip(large / grey.max() * 12000 + 800 + noise, 0, (1 << BITS) - 1).astype(np.uint16)
    flat = (deep >> 6).astype(np.uint8)
    coded = {
        "uncompressed": (".1", deep, BITS, deep.tobytes()),
        "RLE": (".5", deep, BITS, None),
        "JPEG Lossless": (".4.70", deep, BITS, imagecodecs.jpeg_encode(deep, lossless=True, predictor=1, bitspersample=BITS)),
        "JPEG-LS": (".4.80", deep, BITS, imagecodecs.jpegls_encode(deep)),
        "JPEG 2000 lossless": (".4.90", deep, BITS, _jpeg_2000(deep, True)),
        "JPEG 2000": (".4.91", deep, BITS, _jpeg_2000(deep, False)),
        "HTJ2K lossless": (".4.201", deep, BITS, imagecodecs.htj2k_encode(deep << 2, reversible=True)),
        "JPEG Extended, 12 bits": (".4.51", deep >> 2, 12, imagecodecs.jpeg_encode(deep >> 2, level=92, bitspersample=12)),
        "JPEG Baseline, 8 bits": (".4.50", flat, 8, imagecodecs.jpeg_encode(flat, level=92)),
    }  # fmt: skip
    return {name: _write(folder, name, *one) for name, one in coded.items()}


def _jpeg_2000(pixels: np.ndarray, reversible: bool) -> bytes:
    level = 0 if reversible else 60
    return bytes(imagecodecs.jpeg2k_encode(pixels, level=level, codecformat="J2K", reversible=reversible, bitspersample=BITS))


def _write(folder: Path, name: str, syntax: str, pixels: np.ndarray, bits: int, data: bytes | None) -> Path:
    dataset = dcmread(SAMPLES / "film_07.dcm")
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.itemsize
    dataset.BitsStored, dataset.HighBit = (16, 15) if syntax == ".4.201" else (bits, bits - 1)
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = 1 << dataset.BitsStored - 1, 1 << dataset.BitsStored
    dataset.file_meta.TransferSyntaxUID = ROOT + ".1"
    dataset["PixelData"].is_undefined_length = False
    dataset.PixelData = pixels.tobytes()
    if data is None:
        dataset.compress(ROOT + syntax)
    elif syntax != ".1":
        dataset.file_meta.TransferSyntaxUID = ROOT + syntax
        dataset.PixelData = encapsulate([bytes(data)])
        dataset["PixelData"].is_undefined_length = True
    path = folder / f"{name}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path
