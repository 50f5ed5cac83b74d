"""``python -m tests.benchmark.retrain [RECIPE]``: the walk of training/README.md, timed; ends with a service that follows.

Films arrive while the new bundle is activated: each study must name one bundle and carry that bundle's own probability.
"""

import io
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, product
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLSLossless,
    generate_uid,
)

from tests.integration.modality import modality
from tests.integration.service import Service, until
from triage.imaging.preprocess import preprocess
from triage.inference.classifier import LiteRtClassifier
from triage.inference.load import load_classifier
from triage.inference.registry import DEFAULT, PACKAGED

ROOT = Path(__file__).resolve().parents[2]
FILMS = ROOT.parent / "shared" / "data"
AFTER = 40
CONTEXTS = list(
    product(
        (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation),
        (ExplicitVRLittleEndian, JPEGLosslessSV1, JPEGLSLossless),
    )
)
SAME_WITHIN = 1e-5


def main(recipe: str) -> None:
    """Every step as a command of its own, then the service."""
    with tempfile.TemporaryDirectory(prefix="triage-retrain-") as temporary:
        folder = Path(temporary)
        data, run, bundle = folder / "data", folder / "run", folder / "bundle"
        training = [sys.executable, "-m", "training"]
        steps: dict[str, list[str | Path]] = {
            "import": ["import", "nih", FILMS / "nih", "--more", FILMS / "nih_64px", "--out", data],
            "audit": ["audit", "--data", data],
            "train": ["train", recipe, "--data", data, "--out", run],
            "calibrate": ["calibrate", run, "--data", data],
            "evaluate": ["evaluate", run, "--data", data],
            "report": ["report", run, "--data", data],
            "bundle": ["bundle", run, "--data", data, "--out", bundle, "--version", "0.0.1"],
            "promote": ["promote", bundle],
        }
        print("| step | exit | wall s |\n|---|---|---|")
        for name, arguments in steps.items():
            _step(name, [*training, *map(str, arguments)], allowed=(0, 1) if name == "promote" else (0,))
        service = Service(folder / "home").start()
        try:
            _follow(service, bundle)
            service.stop()
        finally:
            service.kill()


def _step(name: str, command: list[str], allowed: tuple[int, ...] = (0,)) -> str:
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"| {name} | {done.returncode} | {time.monotonic() - began:.1f} |", flush=True)
    assert done.returncode in allowed, done.stdout + done.stderr
    return done.stdout


def _follow(service: Service, bundle: Path) -> None:
    """Install and activate while films arrive; then look whose answer each film carries."""
    films: dict[str, bytes] = {}
    activated = threading.Event()
    worker = service.pid("worker")

    def send() -> None:
        """Films one after the other until some have come after the change."""
        after = 0
        with modality(service.dimse_port, contexts=CONTEXTS) as sender:
            for study, content in _films():
                films[study] = content
                assert sender.store(content) == 0x0000
                after += activated.is_set()
                if after == AFTER:
                    return

    triage = [sys.executable, "-m", "triage", "models"]
    home = ["--home", str(service.home)]
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        until(lambda: service.rows("SELECT 1 FROM job WHERE state = 'done'"), 60, "the first film assessed")
        installed = _step("install", [*triage, "install", str(bundle), *home])
        bundle_id = installed.split("installed ")[1].split()[0].rstrip(";:,")
        _step("activate", [*triage, "activate", bundle_id, *home])
        activated.set()
        sending.result()
    until(lambda: not service.rows("SELECT 1 FROM job WHERE state <> 'done'"), 120, "every film assessed")
    networks = {one.model.label: one for one in map(load_classifier, (PACKAGED / DEFAULT, bundle))}
    served: dict[str, int] = dict.fromkeys(networks, 0)
    worst = 0.0
    for study in json.loads(service.triage("worklist", "--json", "--limit", "1000000").stdout):
        network = networks[study["model"]]
        served[study["model"]] += 1
        worst = max(worst, abs(study["probability"] - _probability(network, films[study["study_instance_uid"]])))
    assert sum(served.values()) == len(films)
    assert worst <= SAME_WITHIN, worst
    assert service.pid("worker") == worker
    assert all(served.values()), served
    print(f"\nwithout a restart: {json.dumps(served)} films each; largest difference from the bundle named {worst:.1e}")


def _films() -> Iterator[tuple[str, bytes]]:
    """Sample films under fresh UIDs, without end: Study Instance UID, DICOM file."""
    studies = json.loads((ROOT / "sample_dicom" / "expected.json").read_text(encoding="utf-8"))["studies"]
    for name in cycle([study["file"] for study in studies if study["probability"] is not None]):
        dataset = dcmread(ROOT / "sample_dicom" / name)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        encoded = io.BytesIO()
        dataset.save_as(encoded, enforce_file_format=True)
        yield str(dataset.StudyInstanceUID), encoded.getvalue()


def _probability(network: LiteRtClassifier, film: bytes) -> float:
    return network.probability(preprocess(dcmread(io.BytesIO(film)), network.spec))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "fast")
