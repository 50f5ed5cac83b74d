"""The list on a terminal shows a header's text as it stands."""

from io import StringIO

from rich.console import Console

from tests.unit.domain import make
from triage.cli import tables
from triage.domain.instance import Facts
from triage.domain.study import begin
from triage.domain.worklist import WorklistItem


def shown(**facts: str) -> str:
    study = begin("1.2.3", Facts(**facts), make.NOW, make.POLICY)
    console = Console(file=StringIO(), width=200)
    console.print(tables.worklist([WorklistItem(rank=1, study=study)], make.NOW))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_brackets_of_a_header_are_no_markup() -> None:
    text = shown(patient_name="D^[/x]", patient_id="P[b]1", accession_number="ACC[x]7", study_description="[red]Chest")
    for part in ("D, [/x]", "P[b]1", "ACC[x]7", "[red]Chest"):
        assert part in text


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in shown(patient_name="Doe^\x1b[2JJane")
