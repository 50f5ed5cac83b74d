"""What the service is installed from: a bill of materials, licences, and an audit that counts what it looked at.

``python -m tests.supply sbom FILE`` · ``audit FILE``: both read what the tools of deploy/supply/tools.lock have written
(``make sbom``, ``make audit``); exit 1 with a line for each fault.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
PERMISSIVE = frozenset(
    ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib")
)
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
EXCEPTIONS = {
    "pathspec": "MPL-2.0: used unchanged, to build the package only",
    "psycopg": "LGPL-3.0-only: used unchanged, as a library that can be replaced; only with PostgreSQL",
    "psycopg-binary": "as psycopg",
    "tqdm": "MPL-2.0 AND MIT: used unchanged; ai-edge-litert brings it along",
    "protobuf": "BSD-3-Clause by its repository; its wheel does not say so",
}
"""Package: why it may be there though its wheel names no permissive licence."""
KNOWN_BAD = {
    "pydicom": "3.0.2",
    "keras": "3.13.2",
    "cryptography": "44.0.1",
    "starlette": "0.49.1",
    "jinja2": "3.1.6",
    "h11": "0.16.0",
    "pillow": "11.3.0",
}
"""Package: the first version without a hole that matters here. A lock that names an earlier one does not pass."""
OURS = frozenset(("chest-triage", "pip", "setuptools", "wheel"))
"""In every environment, and in no lock."""


def locked(text: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Package: version, of a lock file, as far as its markers hold in this (or the given) environment."""
    found = {}
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==(\S+)(?: ; ([^\\]+))?", line):
            name, version, marker = match.groups()
            if marker is None or Marker(marker.strip()).evaluate(dict(environment) if environment else None):
                found[canonicalize_name(name)] = version
    return found


def of_components(document: Mapping[str, Any]) -> dict[str, str]:
    """Package: version, of a CycloneDX document."""
    return {canonicalize_name(one["name"]): one["version"] for one in document["components"]}


def differences(lock: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Where what is installed is not what is locked."""
    for name in sorted((lock.keys() | found.keys()) - OURS):
        if lock.get(name) != found.get(name):
            yield f"{name}: locked {lock.get(name, 'not at all')}, listed {found.get(name, 'not at all')}"


def odd_licences(document: Mapping[str, Any]) -> Iterator[str]:
    """Packages whose licence is neither permissive nor excepted with a reason."""
    for one in document["components"]:
        name = canonicalize_name(one["name"])
        named = [_licence(entry) for entry in one.get("licenses", [])]
        if name not in EXCEPTIONS and not any(map(_is_permissive, named)):
            yield f"{name}: licence {', '.join(named) or 'not named'}; use another, or say in tests/supply.py why"


def _licence(entry: Mapping[str, Any]) -> str:
    told = entry.get("expression") or entry["license"].get("id") or entry["license"].get("name")
    return CLASSIFIERS.get(str(told), str(told))


def _is_permissive(expression: str) -> bool:
    """``A OR B``: one is enough; ``A AND B``: both have to be."""
    return any(all(part.strip(" ()") in PERMISSIVE for part in way.split(" AND ")) for way in expression.split(" OR "))


def known_bad(lock: Mapping[str, str]) -> Iterator[str]:
    """Packages that are locked at a version with a known hole."""
    for name, first_good in KNOWN_BAD.items():
        if name in lock and Version(lock[name]) < Version(first_good):
            yield f"{name} {lock[name]}: has a known hole; take {first_good} or later"


def audit_faults(report: Mapping[str, Any], installed: Iterable[str]) -> Iterator[str]:
    """What an audit's report (pip-audit, JSON) holds against what is installed; a package it did not look at is a fault."""
    looked_at = {canonicalize_name(one["name"]): one for one in report["dependencies"] if "skip_reason" not in one}
    for name in sorted(set(installed) - looked_at.keys() - {"chest-triage"}):
        yield f"{name}: was not audited"
    for name, one in sorted(looked_at.items()):
        for hole in one.get("vulns", ()):
            yield f"{name} {one['version']}: {hole['id']}; mended in {', '.join(hole['fix_versions']) or 'no version yet'}"


def main(arguments: Sequence[str]) -> int:
    """Read, print, 0 or 1."""
    what, path = arguments
    lock = locked(LOCK.read_text("utf-8"))
    document = json.loads(Path(path).read_text("utf-8"))
    if what == "sbom":
        faults = [*differences(lock, of_components(document)), *odd_licences(document)]
        print(f"{path}: {len(document['components'])} components, faults {len(faults)}")
    else:
        faults = [*audit_faults(document, lock), *known_bad(lock)]
        print(f"audited {len(document['dependencies'])} of {len(lock)} locked, faults {len(faults)}")
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
