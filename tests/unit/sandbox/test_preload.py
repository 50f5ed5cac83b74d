"""After preloading, no film makes a library load another part of itself: in a child it could not."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
from io import BytesIO
from pathlib import Path
from triage.imaging import preview
from triage.imaging.eligibility import Intended
from triage.imaging.header import read_dataset
from triage.imaging.metadata import header_json
from triage.imaging.prepare import prepare
from triage.imaging.spec import PreprocessingSpec
from triage.imaging.stored_frame import explicit_frame, stored_frame
from triage.sandbox.preload import preload
from triage.sandbox.tasks import TASKS

assert preload() == [], "no film of these could be made"
before = set(sys.modules)
for path in sorted(Path("sample_dicom").glob("*.dcm")):
    data = path.read_bytes()
    prepare(BytesIO(data), PreprocessingSpec(), Intended(16))
    header_json(BytesIO(data))
    try:
        explicit_frame(read_dataset(BytesIO(data)), 1)
        stored_frame(read_dataset(BytesIO(data)), 1)
        preview.png(preview.preview(read_dataset(BytesIO(data))))
    except Exception:
        pass
assert {"PIL.Jpeg2KImagePlugin", "imagecodecs._ljpeg"} <= before, "no small sample needs these"
print(sorted(set(sys.modules) - before))
"""


def test_nothing_is_loaded_any_more() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
