"""The list and a study as tables on a terminal."""

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.domain.level import Level
from triage.domain.reason import Reason
from triage.domain.study import Study
from triage.domain.worklist import LEVEL_WORDS, WorklistItem, head_start_words, level_words, span, why

SHAPES: dict[Level, tuple[str, str]] = {
    Level.STAT: ("▲▲", "bold red"),
    Level.FLAGGED: ("▲", "bold yellow"),
    Level.NOT_ASSESSED: ("!", "bold magenta"),
    Level.PENDING: ("…", "cyan"),
    Level.OUT_OF_SCOPE: ("○", "dim"),
    Level.NOT_FLAGGED: ("–", "dim"),
}
"""Shape and colour of a level; the words always stand beside them."""

FOOTER = "Notification only. Not for diagnostic use. Every study stays in the standard reading queue."


def clean(text: str | None) -> str:
    """Text from a header, fit for a terminal: control characters could move the cursor or fake a row."""
    return "".join(character if character.isprintable() else "�" for character in text or "")


def person(name: str | None) -> str:
    """``Family^Given`` for people."""
    family, _, given = clean(name).partition("^")
    return ", ".join(part for part in (family, given.replace("^", " ").strip()) if part)


def worklist(items: list[WorklistItem], now: datetime) -> Table:
    """The reading list, first study first."""
    table = Table(box=None, padding=(0, 1), header_style="bold", caption=FOOTER, caption_justify="left")
    for heading, style in (
        ("#", "dim"),
        ("Priority", ""),
        ("Waiting", ""),
        ("Patient", ""),
        ("MRN", ""),
        ("Accession", ""),
        ("Exam", ""),
    ):
        table.add_column(heading, style=style, justify="right" if heading == "#" else "left", overflow="fold")
    for item in items:
        study, facts = item.study, item.study.facts
        shape, style = SHAPES[study.level]
        exam = " · ".join(clean(part) for part in (facts.study_description, facts.view, facts.modality) if part)
        table.add_row(
            str(item.rank or "–"),
            Text(f"{shape} {level_words(study)}", style=style),
            span(now - study.arrived_at),
            Text(person(facts.patient_name)),  # Text: a header's [brackets] are no markup
            Text(clean(facts.patient_id)),
            Text(clean(facts.accession_number)),
            Text(exam),
        )
    return table


def marked(row: dict[str, Any]) -> Text:
    """Shape and words of a row of the API's list."""
    level = Level(row["level"])
    shape, style = SHAPES[level]
    words = LEVEL_WORDS[level]
    if row["probability"] is not None:
        words += f" ({row['probability']:.2f})"
    elif row["reason"]:
        words += f" ({Reason.from_code(row['reason']).sentence})"
    return Text(f"{shape} {words}", style=style)


def image_words(image: dict[str, Any]) -> str:
    """What the network said of an image of a study's record."""
    if image["covered"]:
        return "scored" if image["probability"] is None else f"scored {image['probability']:.2f}"
    return f"not scored: {Reason.from_code(image['reason']).sentence}" if image["reason"] else "no score that counts"


def study(console: Console, study: Study, record: dict[str, Any], now: datetime) -> None:
    """One study: its place and the arithmetic of it, its images, what was decided when."""

    def line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    line(f"{person(study.facts.patient_name)}  {clean(study.facts.patient_id)}  {clean(study.facts.study_description)}")
    place = f"Place {record['rank']}" if record["rank"] else "Read"
    line(f"{place}: {why(study, now)}")
    line(f"key {study.key.isoformat()} = arrived {study.arrived_at.isoformat()} - {head_start_words(study.head_start)}")
    for one in record["instances"]:
        line(f"image  {one['received_at']}  {one['size_bytes']} bytes  sha256 {one['digest'][:16]}…  {one['sop_instance_uid']}")
        line(f"       {image_words(one)}")
    for one in record["set_aside"]:
        sender = clean(one["calling_ae_title"])
        line(f"set aside  {one['received_at']}  from {sender}  sha256 {one['digest'][:16]}…  {one['cause']}")
    for one in record["outcomes"]:
        result = one["reason"] or f"probability {one['probability']:.4f} (threshold {one['threshold']:.4f})"
        line(f"decided  {one['decided_at']}  {one['outcome']}  {result}  {one['model'] or ''}")
        for excuse in one["excuses"]:
            detail = f"  ({excuse['detail']})" if excuse["detail"] else ""
            line(f"  not scored  {excuse['reason']}{detail}  sha256 {excuse['digest'][:16]}…")
    for one in record["deliveries"]:
        line(delivery_line(one))


def delivery_line(one: dict[str, Any]) -> str:
    """A delivery of a record in one line."""
    when = one["ended_at"] or one["tried_at"] or one["created_at"]
    said = clean(one["status"] if one["state"] == "delivered" else one["error"])
    tried = f"  {one['attempts']} {'try' if one['attempts'] == 1 else 'tries'}" if one["attempts"] else ""
    kept = {True: "  kept", False: "  not known to be kept", None: ""}[one["committed"]]
    return f"result {one['number']}  {when}  {one['state']}  {one['destination']}{tried}{kept}  {said}".rstrip()
