"""The house: what lies where, how long a file may be, what may stand in it."""

import ast
import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from triage.config import known_keys
from triage.config.destinations import DestinationSettings

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted(path for name in ("triage", "training") for path in (ROOT / name).rglob("*.py"))
TRAINING = [path for path in PRODUCT if path.is_relative_to(ROOT / "training")]
TEMPLATES = sorted((ROOT / "triage" / "web").rglob("*.html"))
REQUIRED = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "Makefile",
    "triage",
    "training",
    "deploy",
    "tests",
    "sample_dicom",
    ".ci",
}
FURNITURE = {
    "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "requirements.lock", "requirements-test.lock", ".gitignore",
    ".gitattributes", ".git", ".dockerignore",
}  # fmt: skip
MAX_LINES = 400
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|DROP|CREATE|ALTER|ATTACH)\b", re.IGNORECASE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_top_level_is_the_agreed_one() -> None:
    ignored = [line.strip("/ ") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    found = {path.name for path in ROOT.iterdir() if not any(fnmatch(path.name, pattern) for pattern in ignored)}
    assert found >= REQUIRED
    assert found - REQUIRED - FURNITURE == set()


def test_there_is_something_to_look_at() -> None:
    assert len(PRODUCT) > 50
    assert TRAINING
    assert TEMPLATES


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_every_module_says_what_it_is_and_stays_short(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), "no docstring"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", PRODUCT, ids=name)
def test_no_sql_is_put_together_from_strings(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.JoinedStr) and isinstance(first := node.values[0] if node.values else None, ast.Constant):
            assert not SQL.match(str(first.value)), f"line {node.lineno}"


@pytest.mark.parametrize("path", TRAINING, ids=name)
def test_training_owns_no_pixels(path: Path) -> None:
    words = {node.attr for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
    assert "pixel_array" not in words
    assert "cv2" not in imports(path)
    assert "tf.image" not in path.read_text(encoding="utf-8")
    assert "PIL" not in imports(path) or path.is_relative_to(ROOT / "training" / "importers")


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("pynetdicom", "triage/dimse"),
        ("sqlalchemy", "triage/database"),
        ("fastapi", "triage/web"),
        ("ai_edge_litert", "triage/inference"),
        ("joserfc", "triage/oidc"),
        ("cryptography", "triage/pki"),
    ],
)
def test_each_framework_has_one_room(package: str, home: str) -> None:
    service = [path for path in PRODUCT if path not in TRAINING]
    assert [name(path) for path in service if package in imports(path) and not name(path).startswith(home)] == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_lock_files_pin_by_hash_and_name_no_index(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links|--trusted-host", text)
    for line in text.replace("\\\n", " ").splitlines():
        assert not line or line.startswith("#") or "--hash=sha256:" in line, line.split()[0]


def test_no_template_calls_anybody_normal() -> None:
    shown = {name(path): re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in TEMPLATES}
    assert [path for path, text in shown.items() if re.search(r"\bnormal\b", text, re.IGNORECASE)] == []


def test_every_setting_of_the_example_exists() -> None:
    example = ROOT / "deploy" / "triage.example.toml"
    if not example.is_file():
        pytest.skip("deploy/triage.example.toml is not written yet")
    section, unknown = "", []
    known = {*known_keys(), *(f"destinations.{one}" for one in DestinationSettings.model_fields)}
    for line in example.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"#?\s*\[+([\w.]+)\]+\s*", line):
            section = f"{heading[1]}."
        elif (setting := re.match(r"#?\s?(\w+)\s*=", line)) and f"{section}{setting[1]}" not in known:
            unknown.append(f"{section}{setting[1]}")
    assert unknown == []
