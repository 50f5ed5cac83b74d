"""``triage conformance``: the DICOM Conformance Statement of this configuration, as Markdown or JSON."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage import __version__
from triage.cli.common import AsJson, Config, Home, print_json, settings

if TYPE_CHECKING:
    from triage.config import Settings
    from triage.dimse.conformance import Configured

SHOWN = (
    "ae_title", "port", "allowed_peers", "query_peers", "retrieve_peers", "move_destinations", "commitment_peers",
    "max_associations", "max_object_bytes",
)  # fmt: skip
"""Settings of ``dimse`` that a peer's administrator has to know."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(conformance)


def conformance(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown (the default).")] = False,
    as_json: AsJson = False,
    home: Home = None,
    config: Config = None,
) -> None:
    """Print the DICOM Conformance Statement of this configuration: for the administrators of other systems."""
    from triage.dimse.conformance import statement

    told = statement(configured(settings(home, config)))
    if as_json and not as_markdown:
        print_json(told)
    else:
        typer.echo(markdown(told))


def configured(values: "Settings") -> "Configured":
    """Of the settings, what the statement depends on."""
    from triage.config.destinations import DIMSE
    from triage.config.sections import DimseSettings
    from triage.dimse.conformance import Configured

    dimse = values.dimse
    sent = [one for one in values.destinations if one.kind in DIMSE]
    fields = DimseSettings.model_fields
    return Configured(
        version=__version__,
        ae_title=dimse.ae_title,
        port=dimse.port,
        associations=dimse.max_associations,
        object_bytes=dimse.max_object_bytes,
        tls=values.tls_files is not None,
        query_peers=dimse.query_peers,
        retrieve_peers=dimse.retrieve_peers,
        move_destinations=dimse.move_destinations,
        commitment_peers=dimse.commitment_peers,
        results_to=[str(one.entity) for one in sent],
        asked=sorted({one.entity.ae_title for one in sent if one.commitment}),
        settings={f"dimse.{name}": (getattr(dimse, name), fields[name].description or "") for name in SHOWN},
    )


def markdown(told: Mapping[str, Any]) -> str:
    """The statement for people, in the order of PS3.2."""
    return "\n".join(_chapters(told))


def _chapters(told: Mapping[str, Any]) -> Iterator[str]:
    made, entity = told["implementation"], told["application_entity"]
    yield "# DICOM Conformance Statement\n"
    yield f"{made['product']}, version {made['version']}."
    yield "Made by `triage conformance` from the tables that the service runs on.\n"
    yield "## 1 Implementation model\n"
    yield from _points(told["model"])
    yield f"\nImplementation Class UID {made['implementation_class_uid']}."
    yield f"Implementation Version Name {made['implementation_version_name']}.\n"
    yield f"## 2 Application entity {entity['ae_title']}, port {entity['port']}\n"
    yield "### 2.1 As acceptor of associations\n"
    yield from _services(told["as_scp"])
    yield "\n### 2.2 As requestor, or in the other role\n"
    yield from _services(told["as_scu"])
    yield "\n### 2.3 Association policies\n"
    yield from _points(told["association_policies"])
    yield "\n### 2.4 Statuses\n"
    for operation, rows in told["statuses"].items():
        yield f"{operation}:\n"
        yield from _table(("status", "meaning"), ((row["status"], row["meaning"]) for row in rows))
        yield ""
    yield "### 2.5 Attributes of queries\n"
    yield from _points(told["matching"])
    yield ""
    columns = ("level", "tag", "keyword", "vr", "type", "matching", "note")
    yield from _table(columns, ([row[name] for name in columns] for row in told["attributes"]))
    yield "\nType: U unique, R required, O optional (PS3.4 C.2.2.1).\n"
    yield "## 3 Configuration\n"
    rows = ((f"`{name}`", _value(one["value"]), one["meaning"]) for name, one in told["configuration"].items())
    yield from _table(("setting", "value", "meaning"), rows)
    yield "\n## 4 Character sets\n"
    sets = told["character_sets"]
    answered = ", ".join(sets["answered"])
    yield from _points([f"Received: {sets['received']}.", f"Answered: the first that can hold the answer of {answered}."])
    yield "\n## 5 Security\n"
    yield from _points(told["security"])


def _points(sentences: Sequence[str]) -> Iterator[str]:
    return (f"- {sentence}" for sentence in sentences)


def _services(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """SOP classes, one row each; transfer syntaxes by letters that are told below."""
    from triage.dimse.conformance import SYNTAX_NAMES

    names: dict[str, str] = {}
    for row in rows:
        names |= {uid: SYNTAX_NAMES[uid] for uid in row["transfer_syntaxes"]}
    letters = {uid: chr(ord("a") + number) for number, uid in enumerate(names)}
    cells = (
        (row["name"], row["uid"], row["role"], "".join(letters[uid] for uid in row["transfer_syntaxes"]), row["offered_to"])
        for row in rows
    )
    yield from _table(("SOP class", "UID", "role", "transfer syntaxes", "offered to"), cells)
    yield "\nTransfer syntaxes: " + "; ".join(f"{letters[uid]} {name} ({uid})" for uid, name in names.items()) + "."


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) or "(empty)" if isinstance(value, list) else str(value)
