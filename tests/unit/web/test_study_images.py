"""The API's images: what a study holds, previews with their cache headers, and sentences instead of broken pictures."""

from datetime import timedelta

import numpy as np
import pytest

from tests.films import film
from tests.unit.web.conftest import NOW, Open
from tests.unit.web.pictures import Room
from triage.domain.reason import Reason
from triage.web.images import MOST_IMAGES

MINUTE = timedelta(minutes=1)


def study() -> Room:
    """A frontal film that was scored, a lateral one that was not, and a damaged one that came after both."""
    room = Room()
    frontal = room.store(film(rows=20, columns=10, WindowCenter=2000, WindowWidth=1001), NOW - 9 * MINUTE)
    lateral = room.store(film(sop_uid="1.2.3.1.2", view="LL"), NOW - 8 * MINUTE)
    room.decide(frontal, lateral, probability=0.91)
    room.store(film(sop_uid="1.2.3.1.3", PixelData=b"\0\0"), NOW - MINUTE)
    return room


def test_images_say_what_was_scored_and_how_they_are_shown(open_site: Open) -> None:
    room = study()
    answer = open_site(room.database, films=room.films).get("/api/v1/studies/1.2.3/images").json()
    assert answer["level"] == "flagged"
    frontal, lateral, damaged = answer["images"]
    assert (frontal["covered"], frontal["probability"], frontal["reason"]) == (True, 0.91, None)
    assert (lateral["covered"], lateral["probability"], lateral["reason"]) == (False, None, "lateral_view")
    assert (damaged["covered"], damaged["reason"], damaged["preview"]) == (False, None, None)
    assert damaged["problem"] == "This image cannot be shown: pixel data cannot be decoded."
    facts = frontal["preview"]
    assert (facts["width"], facts["height"], facts["rows"], facts["columns"]) == (10, 20, 20, 10)
    assert facts["window"] == {"low": 1499.5, "high": 2499.5}
    assert facts["inverted"] is False
    assert frontal["problem"] is None


def test_raw_values_are_the_films(open_site: Open) -> None:
    room = study()
    client = open_site(room.database, films=room.films)
    facts = client.get("/api/v1/studies/1.2.3/images").json()["images"][0]["preview"]
    answer = client.get("/api/v1/instances/1.2.3.1.1/preview.raw")
    values = np.frombuffer(answer.content, "<u2").reshape(20, 10) * facts["slope"] + facts["intercept"]
    assert set(values[:15].round().ravel()) == {0}
    assert set(values[15:].round().ravel()) == {4095}
    assert client.get("/api/v1/instances/1.2.3.1.1/preview.png").content.startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["png", "raw"])
def test_a_preview_is_private_and_asked_for_again(open_site: Open, kind: str) -> None:
    room = study()
    client = open_site(room.database, films=room.films)
    path = f"/api/v1/instances/1.2.3.1.1/preview.{kind}"
    answer = client.get(path)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "content-security-policy" in answer.headers
    with room.database.read() as tx:
        instance = tx.instance("1.2.3.1.1")
    assert instance is not None
    assert answer.headers["etag"] == f'"{instance.digest}"'
    for told in (answer.headers["etag"], f'"x", {answer.headers["etag"]}'):
        again = client.get(path, headers={"If-None-Match": told})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "private, no-cache"
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_cannot_be_shown_is_a_sentence_and_not_kept(open_site: Open) -> None:
    room = study()
    answer = open_site(room.database, films=room.films).get("/api/v1/instances/1.2.3.1.3/preview.png")
    assert answer.status_code == 422
    assert answer.json() == {"detail": "This image cannot be shown: pixel data cannot be decoded."}
    assert answer.headers["cache-control"] == "no-store"


def test_an_object_that_is_lost_says_so(open_site: Open) -> None:
    room = study()
    room.archive.objects.clear()
    answer = open_site(room.database, films=room.films).get("/api/v1/instances/1.2.3.1.1/preview.raw")
    assert (answer.status_code, answer.json()["detail"]) == (422, f"This image cannot be shown: {Reason.NO_IMAGE.sentence}.")


@pytest.mark.parametrize("uid", ["1.2.99", "%3Cscript%3E", "1.02", "1" * 65, "..%2f..%2fetc"])
def test_an_unknown_or_hostile_uid_is_not_found(open_site: Open, uid: str) -> None:
    room = study()
    client = open_site(room.database, films=room.films)
    for path in (
        f"/api/v1/studies/{uid}/images",
        f"/api/v1/instances/{uid}/preview.png",
        f"/api/v1/instances/{uid}/preview.raw",
    ):
        assert client.get(path).status_code == 404


def test_a_study_without_end_is_shown_in_part(open_site: Open) -> None:
    room = Room()
    for number in range(MOST_IMAGES + 2):
        room.store(film(sop_uid=f"1.2.3.1.{number}", rows=8, columns=8), NOW - MINUTE)
    images = open_site(room.database, films=room.films).get("/api/v1/studies/1.2.3/images").json()["images"]
    assert len(images) == MOST_IMAGES + 2
    assert sum(one["preview"] is not None for one in images) == MOST_IMAGES
    assert images[-1]["problem"] == f"Only the first {MOST_IMAGES} images are shown here."
