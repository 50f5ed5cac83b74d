"""No study is put down without its result: who may call ``put_study``, and why it changes nothing of the network's word."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "triage/services/results.py": "place(): the one way, with the result",
    "triage/services/orders.py": "an order moves a study as a person does: what the network said stays",
    "triage/services/reading.py": "a reader's steps: none of them touches what the network said",
}


def test_studies_are_written_by_the_one_way_that_notes_the_result() -> None:
    found = {}
    for path in sorted((ROOT / "triage").rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)]
        if any(node.attr == "put_study" for node in calls):
            found[path.relative_to(ROOT).as_posix()] = True
    assert set(found) == set(ALLOWED)
