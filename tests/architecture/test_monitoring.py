"""Alarms, dashboard and runbook: each names only what there is, and nothing that can alarm is without its page."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.web import scene
from tests.unit.web.conftest import NOW
from triage.domain.figures import FIGURES, Kind
from triage.services.publish import register
from triage.web import health
from triage.web.admin.remedies import REMEDIES
from triage.web.metrics import ServiceCollector
from triage.web.site import Site
from triage.web.watched import Watched

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((PROMETHEUS / "triage.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "triage.json").read_text(encoding="utf-8"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PAGES = re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE)
NAME = re.compile(r"\btriage_[a-z_]+\b")
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")


def samples() -> set[str]:
    """The name of every sample that there can be."""
    database, now = scene.afternoon(NOW)
    register(database, ["pacs"], lambda: now)
    with database.write() as tx:
        tx.leases.begun("backup", now)
        tx.leases.ended("backup", now, None)
    sizes = Watched(database_bytes=lambda: (1, 1))
    site = Site(database=database, clock=lambda: now, free_bytes=lambda: 1, destinations=("pacs",), watched=sizes)
    names: set[str] = set()
    for family in ServiceCollector(site).collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {f"{family.name}{ending}" for ending in endings}
    return names


def promtool(*arguments: str, given: str = "") -> str:
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_finds_the_rules_right_and_each_fires_on_what_it_is_about() -> None:
    promtool("check", "rules", "triage.rules.yml")
    promtool("test", "rules", "triage.rules.test.yml")
    fired = re.findall(r"name: (\w+) fires", (PROMETHEUS / "triage.rules.test.yml").read_text(encoding="utf-8"))
    assert sorted(fired) == sorted(rule["alert"] for rule in RULES)
    print(f"promtool: {len(RULES)} alarms, each fires on its own case, none on a healthy site")


@needs_promtool
def test_promtool_finds_the_metrics_right() -> None:
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    database, now = scene.afternoon(NOW)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(Site(database=database, clock=lambda: now, free_bytes=lambda: 1)))
    promtool("check", "metrics", given=generate_latest(registry).decode())


def test_every_alarm_says_what_how_grave_and_where_to_read_on() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"


def test_alarms_and_panels_name_only_metrics_that_there_are() -> None:
    known = samples()
    expressions = [rule["expr"] for rule in RULES] + [one["expr"] for panel in panels() for one in panel["targets"]]
    assert {name for text in expressions for name in NAME.findall(text)} - known == set()


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARD["panels"]
    return found


def test_every_panel_has_a_unit_and_a_place_of_its_own() -> None:
    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels())
    places = [panel["gridPos"] for panel in panels()]
    cells = [(x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alarm_and_every_check_has_its_page_in_the_runbook() -> None:
    wanted = {rule["alert"] for rule in RULES} | {remedy.page for remedy in REMEDIES.values()}
    assert wanted - set(PAGES) == set()
    assert set(PAGES) - wanted == set(), "pages of nothing"
    assert len(PAGES) == len(set(PAGES))
    assert set(REMEDIES) == {*health.CHECKS, *health.WARNINGS}
    for page in RUNBOOK.split("\n### ")[1:]:
        for part in ("**Seen**", "**Look**", "**Do**", "**Call**"):
            assert part in page, f"{page.splitlines()[0]}: no {part}"


def test_labels_are_few_and_of_no_patient() -> None:
    labels = {name for figure in FIGURES.values() for name in figure.labels}
    assert labels <= {"sender", "status", "step", "level", "reason", "outcome"}
    assert all(figure.help.endswith(".") for figure in FIGURES.values())
    assert all(figure.name.endswith("_seconds") for figure in FIGURES.values() if figure.kind is Kind.HISTOGRAM)
