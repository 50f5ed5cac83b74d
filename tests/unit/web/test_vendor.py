"""Files of others: known, unchanged, licensed."""

import tomllib
from hashlib import sha256

from triage.web.app import STATIC

VENDOR = STATIC / "vendor"


def test_every_file_is_the_one_that_was_listed() -> None:
    packages = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
    listed = {"VENDOR.toml"}
    for package in packages:
        assert sha256((VENDOR / package["file"]).read_bytes()).hexdigest() == package["sha256"]
        assert package["licence"] == "0BSD"
        assert "Permission to use, copy, modify" in (VENDOR / package["licence_file"]).read_text()
        listed |= {package["file"], package["licence_file"]}
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_htmx_stays_at_2() -> None:
    # From 4 on its stream pauses in background tabs: a list on the second monitor would freeze without a word.
    packages = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
    assert {package["name"]: package["version"].split(".")[0] for package in packages}["htmx.org"] == "2"
