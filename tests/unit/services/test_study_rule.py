"""The study rule, case by case (B18): what a set of images makes of a study, and how many of them it says it covers."""

import pytest

from tests import films
from tests.unit.services.arrivals import UID, film
from tests.unit.services.world import World
from triage.dimse.contexts import OFFERED, STORAGE_CLASSES, VERIFICATION
from triage.domain.ours import RESULT_CLASSES
from triage.domain.worklist import why
from triage.services.records import study_record

CASES: dict[str, tuple[list[str], str, str | None, int]] = {
    # images: level, reason, images covered
    "one frontal film": (["faint"], "not_flagged", None, 1),
    "several frontal films: the most suspicious counts": (["faint", "dense", "doubtful"], "flagged", None, 3),
    "several frontal films, none suspicious": (["faint", "doubtful", "faint"], "not_flagged", None, 3),
    "a frontal film and a lateral": (["faint", "lateral"], "not_flagged", None, 1),
    "a frontal film and three laterals": (["lateral", "faint", "lateral", "lateral"], "not_flagged", None, 1),
    "a suspicious film and a lateral": (["lateral", "dense"], "flagged", None, 1),
    "laterals only": (["lateral", "lateral"], "not_assessed", "lateral_view", 0),
    "a child": (["child"], "not_assessed", "paediatric", 0),
    "a film and one said to be a child's": (["faint", "child"], "not_assessed", "paediatric", 0),
    "a film and one that cannot be decoded": (["faint", "cut off"], "not_assessed", "cannot_decode", 0),
    "a suspicious film and one that cannot be decoded": (["cut off", "dense"], "flagged", None, 1),
    "a film and a colour picture": (["faint", "colour"], "not_assessed", "not_grayscale", 0),
    "a film and several frames": (["faint", "several frames"], "not_assessed", "multi_frame", 0),
    "a film and a hand by its tags": (["faint", "hand"], "not_assessed", "not_a_chest_film", 0),
    "a film and an object without pixels": (["faint", "no pixels"], "not_assessed", "no_image", 0),
    "nothing but objects without pixels": (["no pixels", "no pixels"], "not_assessed", "no_image", 0),
    "a lateral and a film that cannot be decoded": (["lateral", "cut off"], "not_assessed", "cannot_decode", 0),
    "everything that blocks at once: the first of the table": (
        ["colour", "cut off", "child", "several frames"], "not_assessed", "paediatric", 0,
    ),
    "fifty films": (["faint"] * 50, "not_flagged", None, 50),
    "fifty films, the last suspicious": (["faint"] * 49 + ["dense"], "flagged", None, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("turned", [False, True], ids=["as given", "the other way round"])
def test_what_a_set_of_images_makes_of_a_study(name: str, turned: bool) -> None:
    kinds, level, reason, covered = CASES[name]
    world = World()
    for number, kind in reversed([*enumerate(kinds, 1)]) if turned else enumerate(kinds, 1):
        world.store(film(kind, number))
    while world.step():
        pass
    study = world.study(UID)
    found = (study.level.value, study.reason.code if study.reason else None, study.images_covered, study.images)
    assert found == (level, reason, covered, len(kinds))
    with world.database.read() as tx:
        record = study_record(tx, UID, world.clock())
    assert record is not None
    assert sum(one["covered"] for one in record["instances"]) == covered
    if study.probability is not None:
        partly = f"{covered} of {len(kinds)} images covered"
        assert (partly in why(study, world.clock())) == (covered < len(kinds))
        assert [one["reason"] for one in record["instances"] if not one["covered"]] == ["lateral_view"] * kinds.count(
            "lateral"
        ) + ["cannot_decode"] * kinds.count("cut off")


def test_films_of_several_series_are_one_study() -> None:
    world = World()
    for number in range(1, 4):
        world.store(films.film(UID, f"{UID}.{number}.1", series_uid=f"{UID}.{number}", bright=0.1))
    while world.step():
        pass
    assert (world.study(UID).images, world.study(UID).images_covered) == (3, 3)


def test_what_is_no_image_is_not_even_offered() -> None:
    storage = OFFERED.keys() - {VERIFICATION} - RESULT_CLASSES.keys()
    assert storage == set(STORAGE_CLASSES)
    structured_report, presentation_state, key_objects, pdf = (
        f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("88.11", "11.1", "88.59", "104.1")
    )
    assert not storage & {structured_report, presentation_state, key_objects, pdf}
