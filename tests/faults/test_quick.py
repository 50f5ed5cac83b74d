"""The cheap tier of ``make faults``: what lies about itself gets its reason; nothing else than an outcome ever comes of it."""

from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from hypothesis import given, settings

from tests.faults import damage, films, mutants, objects
from tests.faults.generated import hostile_objects
from tests.faults.path import assessed, stored_values
from triage.domain.reason import Reason
from triage.inference.memory import MemoryClassifier

BUNDLED = Path(pydicom.data.__file__).parent
CODES = {reason.code for reason in Reason}


@pytest.fixture(scope="module")
def classifier():
    return MemoryClassifier(threshold=0.2)


@pytest.mark.parametrize("name", objects.CHEAP)
def test_what_lies_about_itself_gets_its_reason(name, classifier):
    make, reasons = objects.CHEAP[name]
    outcome = assessed(make(), classifier)
    assert outcome.probability is None
    assert outcome.reason in reasons


@pytest.mark.parametrize("name", objects.EITHER)
def test_what_can_be_read_in_spite_of_it_is_read_as_it_is(name, classifier):
    data, whole = objects.EITHER[name](), objects.native()
    pixels = stored_values(data)
    outcome = assessed(data, classifier)
    if pixels is None:
        assert outcome.reason in CODES
    else:
        assert np.array_equal(pixels, stored_values(whole))
        assert outcome == assessed(whole, classifier)


def test_a_film_cut_off_at_any_element_is_never_scored(classifier):
    outcomes = [assessed(data, classifier) for data in objects.truncated()]
    assert len(outcomes) > 40
    assert {outcome.probability for outcome in outcomes} == {None}
    assert {outcome.reason for outcome in outcomes} <= CODES


def test_each_of_pydicoms_own_files_gets_an_outcome(classifier):
    found = {path.name: assessed(path.read_bytes(), classifier) for path in sorted(BUNDLED.rglob("*.dcm"))}
    assert len(found) >= 79
    assert {outcome.probability for outcome in found.values()} == {None}  # none is a radiograph of a chest
    assert {outcome.reason for outcome in found.values()} <= CODES


@settings(deadline=None, max_examples=60)
@given(hostile_objects())
def test_whatever_comes_there_is_an_outcome(data):
    classifier = MemoryClassifier()
    outcome = assessed(data, classifier)
    assert (outcome.probability is None) == (outcome.reason in CODES)


@pytest.mark.parametrize("syntax", films.SYNTAXES.values(), ids=films.SYNTAXES)
def test_a_damaged_stream_is_refused_or_near_the_film(syntax, classifier):
    """One mutant of each kind that no check may let through; the others are counted by ``make faults``."""
    film = films.film_in("film_02.dcm", syntax)
    rng = np.random.default_rng(mutants.SEED)
    if not film.header:
        pytest.skip("uncompressed: a flipped bit of a pixel is another pixel; lengths are tried above")
    for kind in (damage.cut, damage.garbage_behind):
        outcome = assessed(film.file_object(kind(film.stream, film.header, rng)), classifier)
        assert outcome.reason == "cannot_decode", kind.__name__
