"""The conformance statement says what the listener does: every class and syntax is negotiated with a running one."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from typer.testing import CliRunner

from tests.unit.services.world import World
from triage.bootstrap.intake import permissions
from triage.cli import app
from triage.cli.conformance import configured, markdown
from triage.config import Settings, load
from triage.dimse.commitment_scp import StorageCommitment
from triage.dimse.conformance import statement
from triage.dimse.listener import Limits, Listener
from triage.dimse.query_scp import Queries

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"
SELDOM = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.31", "1.2.840.10008.5.1.4.1.2.3.1", "1.2.3")
NEVER = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.100")

SETTINGS = {
    "nobody": {},
    "who asks": {"query_peers": ["VIEWER"]},
    "who fetches": {"query_peers": ["VIEWER"], "retrieve_peers": ["VIEWER@127.0.0.1"], "move_destinations": ["A@127.0.0.1:9"]},
    "somebody else": {"query_peers": ["OTHER"], "retrieve_peers": ["VIEWER@127.0.0.2"], "move_destinations": ["A@127.0.0.1:9"]},
}


def given(**dimse: object) -> Settings:
    return load(home=Path("/nowhere"), overrides={"dimse": dimse}, environment={})


@pytest.fixture
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    world, settings = World(), given(**SETTINGS[request.param])
    queries = Queries(
        ae_title="TRIAGE",
        database=world.database,
        archive=world.archive,
        local=nullcontext,
        clock=world.clock,
        permissions=permissions(settings.dimse),
    )
    commitments = StorageCommitment(
        archive=world.archive, database=world.database, supported=(), reachable=(), clock=world.clock, chance=lambda: 0.0
    )
    listener = Listener(
        ae_title="TRIAGE",
        host="127.0.0.1",
        port=0,
        peers=[],
        limits=Limits(associations=9, of_address=9, object_bytes=1 << 20),
        begin=lambda claim: pytest.fail("nothing is sent"),
        commitments=commitments,
        queries=queries,
    )
    yield listener
    listener.stop()


def negotiated(listener: Listener, pairs: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those that are accepted, one context for each."""
    found = set[tuple[str, str]]()
    for first in range(0, len(pairs), 120):
        association = AE("VIEWER").associate(
            "127.0.0.1",
            listener.port,
            contexts=[build_context(*pair) for pair in pairs[first : first + 120]],
            ae_title="TRIAGE",
        )
        found |= {(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in association.accepted_contexts}
        if association.is_established:
            association.release()
    return found


@pytest.mark.parametrize(("listener", "asked"), [(name, name) for name in SETTINGS], indirect=["listener"])
def test_what_is_said_is_what_is_negotiated(listener: Listener, asked: str) -> None:
    told = statement(configured(given(**SETTINGS[asked])))
    mine = [row for row in told["as_scp"] if row["offered_to"].split("@")[0].split(" ")[0] in ("every", "VIEWER")]
    if asked == "somebody else":  # it names VIEWER, from another address
        mine = [row for row in mine if "127.0.0.2" not in row["offered_to"]]
    expected = {(row["uid"], syntax) for row in mine for syntax in row["transfer_syntaxes"]}
    classes = {row["uid"] for row in told["as_scp"]} | set(SELDOM)
    syntaxes = {syntax for row in told["as_scp"] for syntax in row["transfer_syntaxes"]} | set(NEVER)
    found = negotiated(listener, sorted(product(sorted(classes), sorted(syntaxes))))
    print(f"{asked}: {len(classes) * len(syntaxes)} pairs, {len(found)} accepted")
    assert found == expected


def test_the_document_is_current() -> None:
    made = markdown(statement(configured(given())))
    assert DOCUMENT.read_text(encoding="utf-8") == made + "\n", "triage conformance --home /nowhere > docs/conformance.md"


def test_every_chapter_is_json_and_says_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "triage.toml").write_text('[dimse]\nquery_peers = ["WORKSTATION@192.0.2.7"]\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["conformance", "--json", "--home", str(tmp_path)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["configuration"]["dimse.query_peers"]["value"] == ["WORKSTATION@192.0.2.7"]
    finds = [row for row in told["as_scp"] if row["name"].endswith("FIND")]
    assert {row["offered_to"] for row in finds} == {"WORKSTATION@192.0.2.7"}
    assert "normal" not in done.stdout.lower()
