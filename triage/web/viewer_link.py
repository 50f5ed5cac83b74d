"""The link to the hospital's own viewer, from a template that the administrator writes."""

import re
from urllib.parse import quote, urlsplit

from triage.domain.study import Study

SCHEMES = frozenset({"http", "https", "weasis", "radiant"})
"""What a browser may be sent to: web pages and two viewers that register a scheme of their own. No scheme runs a script."""
PLACEHOLDERS = frozenset({"study_instance_uid", "accession_number", "patient_id"})
_PLACE = re.compile(r"\{(.*?)\}")


def check_template(template: str) -> str:
    """Return ``template``; empty: no link.

    Raises:
        ValueError: a scheme that is not in :data:`SCHEMES`, a placeholder that is unknown or stands before the path.
    """
    if not template:
        return template
    parts = urlsplit(template)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"begin it with one of: {', '.join(sorted(f'{scheme}://' for scheme in SCHEMES))}")
    if not parts.netloc and parts.scheme in ("http", "https"):
        raise ValueError("name the viewer's host, as in https://viewer.example/?study={study_instance_uid}")
    if "{" in parts.netloc or any(letter.isspace() or not letter.isprintable() for letter in template):
        raise ValueError("no placeholder in the host, no spaces anywhere")
    unknown = set(_PLACE.findall(template)) - PLACEHOLDERS
    if unknown or set("{}") & set(_PLACE.sub("", template)):
        raise ValueError(f"the placeholders are {', '.join(f'{{{name}}}' for name in sorted(PLACEHOLDERS))}")
    return template


def viewer_link(template: str, study: Study) -> str | None:
    """The address of a study in the viewer, every value percent-encoded; ``None``: no template, or a value is missing."""
    values = {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.facts.accession_number,
        "patient_id": study.facts.patient_id,
    }
    wanted = _PLACE.findall(template)
    if not template or not all(values[name] for name in wanted):
        return None
    return _PLACE.sub(lambda place: quote(values[place[1]] or "", safe="", errors="replace"), template)
