"""Results that a PACS sends back: taken with thanks and dropped; a film is never taken for one."""

from io import BytesIO

import pytest
from pydicom import dcmread

from tests import films
from tests.unit.reporting.results import DEVICE, STUDY, header, scored
from tests.unit.services.world import World
from triage.domain.errors import NoFilm
from triage.domain.ours import DEVICE_UID, MODEL_NAME, PRESENTATION_STATE, RESULT_CLASSES, SECONDARY_CAPTURE, is_ours
from triage.reporting.presentation_state import presentation_state
from triage.reporting.secondary_capture import page
from triage.reporting.structured_report import structured_report


def report(**changed: str | None) -> bytes:
    """Our report, as a PACS may have changed it."""
    dataset = dcmread(BytesIO(structured_report(scored(), [], [header()], DEVICE).content))
    for keyword, value in changed.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return films.part10(dataset, dataset.SOPClassUID, dataset.SOPInstanceUID)


@pytest.mark.parametrize("changed", [{}, {"DeviceUID": None}, {"ManufacturerModelName": "PACS"}, {"PatientID": "P-2"}])
def test_our_report_is_dropped_whatever_a_pacs_made_of_it(changed: dict[str, str | None]) -> None:
    world = World()
    world.store(films.film(STUDY))
    before = world.study(STUDY)
    told: list[str] = []
    assert world.store(report(**changed), came_back=told.append) is None
    assert told == ["MODALITY"]
    assert world.counts() == (1, 0, 0, 1)
    assert world.study(STUDY) == before


def test_the_page_and_the_presentation_state_are_dropped_too() -> None:
    world = World()
    film = header(WindowCenter="2048", WindowWidth="4096")
    state = presentation_state(scored(), [film], DEVICE)
    assert state is not None
    for made in (page(scored(), [], [film], DEVICE), state):
        assert world.store(made.content) is None
    assert world.counts() == (0, 0, 0, 0)


def test_it_makes_no_study_of_its_own() -> None:
    world = World()
    assert world.store(report()) is None
    assert world.counts() == (0, 0, 0, 0)


def test_somebody_elses_report_is_refused_and_nothing_stays() -> None:
    world = World()
    told: list[str] = []
    with pytest.raises(NoFilm) as caught:
        world.store(report(DeviceUID="1.2.3.4", ManufacturerModelName="Another"), came_back=told.append)
    assert caught.value.status == 0x0122
    assert (world.counts(), told) == ((0, 0, 0, 0), [])


@pytest.mark.parametrize("marks", [{}, {"DeviceUID": DEVICE_UID}, {"ManufacturerModelName": MODEL_NAME}])
def test_a_captured_film_with_less_than_both_marks_is_a_film(marks: dict[str, str]) -> None:
    world = World()
    assert world.store(films.film(STUDY, sop_class_uid=SECONDARY_CAPTURE, **marks)) is not None
    assert world.counts() == (1, 0, 0, 1)


def test_a_film_of_another_class_is_never_ours() -> None:
    for sop_class_uid in ("1.2.840.10008.5.1.4.1.1.1", films.DX):
        assert not is_ours(sop_class_uid, [DEVICE_UID], MODEL_NAME)
    assert is_ours(PRESENTATION_STATE, [], MODEL_NAME)
    assert is_ours(SECONDARY_CAPTURE, ["1.2", DEVICE_UID], MODEL_NAME)
    assert not any(is_ours(one, ["1.2"], None) for one in (*RESULT_CLASSES, SECONDARY_CAPTURE))
