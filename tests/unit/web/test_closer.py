"""Full frames and heat maps: settings by roles, what is refused and why, and what is audited of looking at images."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.films import film
from tests.size import size
from tests.unit.sandbox.servers import server
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.pictures import Room
from tests.unit.web.signed_in import SignedIn
from triage.domain.account import GRANTS, Permission, Role
from triage.domain.audit import Action
from triage.domain.errors import PixelError
from triage.domain.reason import Reason
from triage.services import audit
from triage.web.closer import SENDING
from triage.web.identity import name_of
from triage.web.lightbox import CAUTION, Lightbox, Rules
from triage.web.parcel import PIECE_BYTES, Parcel

UID = "1.2.3.1.1"
FRAME, MAP = f"/api/v1/instances/{UID}/frame.raw", f"/api/v1/instances/{UID}/heat_map"
PREVIEW = f"/api/v1/instances/{UID}/preview.png"
SAMPLES = Path(__file__).resolve().parents[3] / "sample_dicom"
RULES = Rules(models=Path("/nonexistent"), min_age_years=16)


def room(**elements: Any) -> Room:
    made = Room()
    made.store(film(rows=1200, columns=700, **elements), NOW)
    return made


@pytest.mark.parametrize("full_frames", [False, True])
def test_each_asks_for_its_setting_and_its_role(open_site: Open, full_frames: bool) -> None:
    stored = room(PixelData=None)  # what is allowed gets as far as the film: 422
    for heat_map in size((RULES if full_frames else None,), (None, RULES)):
        door = SignedIn()
        client = open_site(stored.database, films=stored.films, full_frames=full_frames, heat_map=heat_map, authenticator=door)
        for role in Role:
            door.role = role
            for path, on, permission, setting in (
                (FRAME, full_frames, Permission.FRAMES, "full frames are switched off: viewer.full_frames"),
                (MAP, heat_map is not None, Permission.HEAT_MAP, "heat maps are switched off: viewer.heat_map"),
            ):
                answer = client.get(path)
                if permission not in GRANTS[role]:
                    assert answer.status_code == 403
                elif not on:
                    assert (answer.status_code, answer.json()["detail"]) == (404, setting)
                else:
                    assert answer.status_code == 422
            if Permission.VIEW in GRANTS[role]:
                page = client.get("/study/1.2.3").text
                assert ('data-key="f"' in page) is (full_frames and Permission.FRAMES in GRANTS[role])
                assert ('data-key="h"' in page) is (heat_map is not None and Permission.HEAT_MAP in GRANTS[role])
                assert ("Not a finding" in page) is ('data-key="h"' in page)


def test_a_frame_is_whole_and_its_facts_come_with_it(open_site: Open) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (1200, 700)).astype("<u2")
    stored = room(PixelData=pixels.tobytes())
    client = open_site(
        stored.database, films=stored.films, full_frames=True, authenticator=SignedIn(Role.RADIOLOGIST), who=name_of
    )
    answer = client.get(FRAME)
    facts = json.loads(answer.headers["film-facts"])
    small = client.get("/api/v1/studies/1.2.3/images").json()["images"][0]["preview"]
    assert set(facts) == set(small)
    assert (facts["width"], facts["height"], facts["window"]) == (700, 1200, small["window"])
    values = np.frombuffer(answer.content, "<u2").reshape(1200, 700)
    assert np.rint(values * facts["slope"] + facts["intercept"]).astype(int).tolist() == pixels.tolist()
    assert int(answer.headers["content-length"]) == 2 * 1200 * 700
    assert answer.headers["cache-control"] == "private, no-cache"
    again = client.get(FRAME, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_frames_push_no_preview_out_and_give_their_places_back(open_site: Open) -> None:
    stored = room()
    client = open_site(stored.database, films=stored.films, full_frames=True, authenticator=SignedIn(Role.RADIOLOGIST))
    state = client._app.state
    client.get(PREVIEW)
    held = state.previews.held_bytes
    for _ in range(SENDING + 2):
        assert client.get(FRAME).status_code == 200
    assert state.previews.held_bytes == held > 0
    assert state.frames.held_bytes == 2 * 1200 * 700


@pytest.mark.parametrize("uid", ["1.2.99", "%3Cscript%3E", "1.02", "1" * 65])
def test_an_unknown_or_hostile_uid_is_not_found(open_site: Open, uid: str) -> None:
    stored = room()
    client = open_site(
        stored.database, films=stored.films, full_frames=True, heat_map=RULES, authenticator=SignedIn(Role.RADIOLOGIST)
    )
    for path in (FRAME, MAP):
        answer = client.get(path.replace(UID, uid))
        assert (answer.status_code, answer.json()["detail"]) == (404, "no image has this UID")


def test_heat_maps_by_the_network_that_is_shipped(open_site: Open) -> None:
    stored = Room()
    uids = [
        stored.store((SAMPLES / f"film_{number}.dcm").read_bytes(), NOW).sop_instance_uid for number in ("01", "05", "08", "09")
    ]
    client = open_site(
        stored.database, films=stored.films, heat_map=RULES, authenticator=SignedIn(Role.RADIOLOGIST), who=name_of
    )
    found = [client.get(MAP.replace(UID, uid)) for uid in uids]
    assert [one.status_code for one in found] == [200, 422, 422, 422]
    told = found[0].json()
    assert told["caution"] == CAUTION
    assert told["grid"] == {"rows": 8, "columns": 8}
    assert [len(row) for row in told["values"]] == [8] * 8
    assert 0.25 < max(value for row in told["values"] for value in row) < 5
    assert 0 < told["probability"] < 1
    assert told["model"].endswith(told["bundle_id"][:8])
    assert [one.json()["detail"] for one in found[1:]] == [
        f"This image cannot be shown: {reason.sentence}."
        for reason in (Reason.PAEDIATRIC, Reason.LATERAL_VIEW, Reason.CANNOT_DECODE)
    ]
    with stored.database.read() as tx:
        assert [json.loads(one.details) for one in tx.audit()] == [{"shown": "heat map"}]


@pytest.fixture
def lightbox() -> Iterator[Any]:
    made: list[Lightbox] = []

    def opened(stored: Room, seconds: float = 20, **tasks: str) -> Lightbox:
        made.append(Lightbox(stored.films, RULES, seconds, server(forks=False, **tasks)))
        return made[-1]

    yield opened
    for one in made:
        one.close()


SPEC = "{'algorithm': 'grey-area-percentile-1', 'height': 32, 'width': 32}"
BUNDLE = f"tell({{'bundle_id': 'b' * 64, 'spec': {SPEC}}}, [])"
SAID = "tell({'bundle_id': 'b' * 64, 'model': 'm', 'probability': %s, 'values': %s}, [])"
NONSENSE = {
    "not a number": ("0.5", "[[float('nan')]]"),
    "no rectangle": ("0.5", "[[1], [1, 2]]"),
    "nothing": ("0.5", "[]"),
    "no probability": ("2", "[[1]]"),
    "text": ("0.5", "['x']"),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_process_that_talks_nonsense_is_not_believed(lightbox: Any, kind: str) -> None:
    stored = room()
    (name,) = stored.archive.objects
    with pytest.raises(PixelError) as caught:
        lightbox(stored, bundle=BUNDLE, map=SAID % NONSENSE[kind]).of(name, date(2026, 1, 1))
    assert caught.value.reason is Reason.CANNOT_DECODE


COUNTED = f"""
global asked
asked = globals().get("asked", 0) + 1
tell({{'bundle_id': 'a' if asked < 4 else 'b', 'spec': {SPEC}}}, [])
"""
MAPPED = """
global mapped
assert len(film.read()) == 4 * 32 * 32
mapped = globals().get("mapped", 0) + 1
tell({'bundle_id': question['bundle_id'], 'model': 'm', 'probability': mapped / 10, 'values': [[0]]}, [])
"""


def test_a_map_is_made_once_for_a_film_and_a_bundle(lightbox: Any) -> None:
    stored = room()
    (name,) = stored.archive.objects
    box = lightbox(stored, bundle=COUNTED, map=MAPPED)
    found = [box.of(name, date(2026, 1, 1)) for _ in range(5)]
    assert [(one.bundle_id, one.probability) for one in found] == [("a", 0.1)] * 3 + [("b", 0.2)] * 2


def test_a_process_that_dawdles_is_ended(lightbox: Any) -> None:
    with pytest.raises(PixelError) as caught:
        lightbox(room(), 0.3, bundle="time.sleep(60)").of("x", date(2026, 1, 1))
    assert caught.value.reason is Reason.TIMED_OUT


def test_the_web_role_holds_no_network() -> None:
    code = "import sys, triage.web.app; print([one for one in sys.modules if 'litert' in one])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def views(stored: Room) -> list[str]:
    with stored.database.read() as tx:
        return [one.details for one in tx.audit() if one.action == Action.VIEW]


def test_a_script_that_fetches_previews_only_leaves_one_trace_in_a_quarter_of_an_hour(open_site: Open) -> None:
    stored = room()
    minute = 0
    clients = [
        open_site(stored.database, clock=lambda: NOW + timedelta(minutes=minute), films=stored.films, who=name_of)
        for _ in range(2)  # what was noted is known to every process
    ]
    for number, minute in enumerate([0, 1, 14, 16, 17, 40, 39]):  # noqa: B007 - the clock
        client = clients[number % 2]
        etag = client.get(PREVIEW).headers["etag"]
        client.get(PREVIEW, headers={"If-None-Match": etag})
        client.get("/api/v1/studies/1.2.3/images")
    assert len(views(stored)) == 4  # at 0, 16, 40, and 39: the clock was set back


def test_a_page_is_a_view_and_its_previews_are_part_of_it(open_site: Open) -> None:
    stored = room()
    client = open_site(
        stored.database, films=stored.films, full_frames=True, authenticator=SignedIn(Role.RADIOLOGIST), who=name_of
    )
    client.get("/study/1.2.3")
    client.get("/api/v1/studies/1.2.3/images")
    client.get(PREVIEW)
    assert views(stored) == ["{}"]
    client.get(FRAME)
    client.get(FRAME)
    assert views(stored) == ["{}", '{"shown": "full frame"}']


def test_looks_of_others_and_at_others_are_noted_apart() -> None:
    stored = room()
    for actor, study in (("a", "1.2.3"), ("b", "1.2.3"), ("a", "1.2.4"), ("a", "1.2.3")):
        audit.shown(stored.database, actor, study, "", lambda: NOW)
    assert len(views(stored)) == 3


def test_a_reader_who_takes_nothing_is_let_go() -> None:
    place = threading.BoundedSemaphore(1)
    assert place.acquire()
    sent: list[Any] = []

    async def stuck(message: Any) -> None:
        sent.append(message)
        if len(sent) > 2:
            await asyncio.Event().wait()

    parcel = Parcel(bytes(3 * PIECE_BYTES), place, {}, "application/octet-stream", seconds=0.05)
    asyncio.run(parcel({"type": "http"}, stuck, stuck))  # type: ignore[arg-type]
    assert [len(one.get("body", b"")) for one in sent] == [0, PIECE_BYTES, PIECE_BYTES]
    assert place.acquire(blocking=False), "the place is free again"
