"""Whose films they are: name, provider, where to get them, paper, licence; it goes into report and model card."""

import tomllib
from pathlib import Path
from typing import Any

from training.errors import TrainingError

SOURCES = Path(__file__).parents[1] / "sources"
"""Descriptions that come with the project."""
SAID = {"provider": "this site", "download": "not published", "paper": "none", "licence": "as the site decides"}
"""Of films that no publisher describes."""
KEYS = {"name": str, **dict.fromkeys(SAID, str), "limits": list}


def origin(source: str | None, name: str) -> dict[str, Any]:
    """What a TOML file says of the films, or the name of one that comes with the project; ``None``: a site's own films.

    Raises:
        TrainingError: there is no such file, it is not TOML, or a key is missing, unknown or of another kind.
    """
    if source is None:
        return {"name": name, **SAID}
    path = next((path for path in (Path(source), SOURCES / f"{source}.toml") if path.is_file()), None)
    if path is None:
        known = ", ".join(sorted(path.stem for path in SOURCES.glob("*.toml")))
        raise TrainingError(f"no source {source!r}; give a TOML file with {', '.join(KEYS)}, or one of: {known}")
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not TOML: {error}") from None
    for key in sorted(set(said) | set(KEYS) - {"limits"}):
        if key not in KEYS or not isinstance(said.get(key), KEYS[key]):
            raise TrainingError(f"{path}: {key} is unknown, missing or of another kind; the keys are {', '.join(KEYS)}")
    return said
