"""Whose films they are: a site's own, a project's description, or a file; anything else is refused by name."""

from pathlib import Path

import pytest

from training.errors import TrainingError
from training.importers.origin import SOURCES, origin


def test_a_site_needs_no_description() -> None:
    assert origin(None, "Ours") == {
        "name": "Ours",
        "provider": "this site",
        "download": "not published",
        "paper": "none",
        "licence": "as the site decides",
    }


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.toml")), ids=lambda path: path.stem)
def test_what_comes_with_the_project_can_be_read(path: Path) -> None:
    assert origin(path.stem, "unused") == origin(str(path), "unused")
    assert origin(path.stem, "unused")["licence"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 1", "download is unknown, missing"),
        ("name = ", "is not TOML"),
        ('name="a"\nprovider="b"\ndownload="c"\npaper="d"\nlicence="e"\nlicense="f"', "license is unknown"),
        ('name="a"\nprovider="b"\ndownload="c"\npaper="d"\nlicence=1', "licence is unknown"),
    ],
)
def test_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "source.toml").write_text(text)
    with pytest.raises(TrainingError, match=said):
        origin(str(tmp_path / "source.toml"), "unused")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(TrainingError, match="kermany"):
        origin("nobody", "unused")
