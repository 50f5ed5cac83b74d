"""The parts of training by themselves: batches, augmentation, checkpoint, disk, signals, recipe keys."""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import material, opinion, recipe, weights
from training.augment import augmented, mixed
from training.checkpoint import Checkpoint, load, save
from training.errors import TrainingError
from training.estimate import Pace, check_disk, expected
from training.interrupt import Interrupted, on_signal
from training.manifest import Film
from training.material import Material, ahead
from training.recipe import Augment, Labels
from training.run import Run, begin

STRENGTHS = st.builds(
    Augment,
    shift=st.sampled_from([0.0, 0.3]),
    zoom=st.sampled_from([0.0, 0.5]),
    rotate=st.sampled_from([0.0, 45.0]),
    contrast=st.sampled_from([0.0, 0.9]),
    brightness=st.sampled_from([0.0, 0.5]),
    gamma=st.sampled_from([0.0, 0.9]),
    noise=st.sampled_from([0.0, 0.2]),
    blur=st.sampled_from([0.0, 3.0]),
    erase=st.sampled_from([0.0, 0.5]),
    flip=st.booleans(),
)


def films(count: int = 5, height: int = 12, width: int = 10) -> np.ndarray:
    return np.random.default_rng(3).random((count, height, width, 1), dtype=np.float32)


@settings(max_examples=60, deadline=None)
@given(strength=STRENGTHS, seed=st.integers(0, 2**32))
def test_augmentation_gives_tensors_of_the_same_form_is_repeatable_and_leaves_its_input_alone(
    strength: Augment, seed: int
) -> None:
    given_films, untouched = films(), films()
    changed, again = (augmented(given_films, strength, np.random.default_rng(seed)) for _ in range(2))
    assert changed.shape == given_films.shape
    assert changed.dtype == np.float32
    assert changed.min() >= 0
    assert changed.max() <= 1
    np.testing.assert_array_equal(changed, again)
    np.testing.assert_array_equal(given_films, untouched)


def test_without_strength_nothing_changes() -> None:
    np.testing.assert_allclose(augmented(films(), Augment(), np.random.default_rng(0)), films(), atol=1e-6)


def test_a_flip_mirrors_left_and_right_in_about_half_of_the_films() -> None:
    many = films(400)
    changed = augmented(many, Augment(flip=True), np.random.default_rng(0))
    mirrored = np.isclose(changed, many[:, :, ::-1], atol=1e-6).all(axis=(1, 2, 3))
    same = np.isclose(changed, many, atol=1e-6).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all()
    assert 150 < mirrored.sum() < 250


def test_grades_stay_within_the_strength_of_the_recipe() -> None:
    flat = np.full((500, 4, 4, 1), 0.5, dtype=np.float32)
    brightened = augmented(flat, Augment(brightness=0.08), np.random.default_rng(0))[:, 0, 0, 0] - 0.5
    assert -0.08 <= brightened.min() < -0.07
    assert 0.07 < brightened.max() <= 0.08
    graded = augmented(flat, Augment(gamma=0.2), np.random.default_rng(0))[:, 0, 0, 0]
    assert 0.5 ** np.exp(0.2) - 1e-6 <= graded.min() < graded.max() <= 0.5 ** np.exp(-0.2) + 1e-6
    noisy = augmented(flat, Augment(noise=0.02), np.random.default_rng(0)) - 0.5
    assert noisy.std() == pytest.approx(0.02 / np.sqrt(3), rel=0.1)


def test_mixup_blends_film_label_and_weight_by_one_share() -> None:
    labels = np.tile(np.array([0, 1], dtype=np.float32), 10)
    flat = labels[:, None, None, None] * np.ones((1, 3, 3, 1), dtype=np.float32)
    blended, targets, weights = mixed(flat, labels, labels + 1, 0.4, np.random.default_rng(2))
    np.testing.assert_allclose(blended[:, 1, 1, 0], targets, atol=1e-6)
    np.testing.assert_allclose(weights, targets + 1, atol=1e-6)
    assert ((targets > 0) & (targets < 1)).any()


def test_an_epoch_shows_each_film_once_and_is_the_same_for_the_same_generator() -> None:
    chosen = recipe.parse('name = "x"\n[network]\nbuilder = "x"\n[schedule]\nbatch = 4\n[augment]\nnoise = 0.1\n', "x")
    numbers = np.arange(10, dtype=np.float32)
    material = Material(films(10), numbers, numbers)
    first, second = ([*ahead(material.epoch(chosen, np.random.default_rng(5)))] for _ in range(2))
    assert sorted(np.concatenate([labels for _, labels, _ in first])) == numbers.tolist()
    assert max(len(labels) for _, labels, _ in first) <= 4
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_batches_are_made_by_another_thread_in_their_order_and_a_fault_comes_through() -> None:
    makers = []

    def make() -> Iterator[int]:
        for number in range(5):
            makers.append(threading.current_thread())
            yield number
        raise TrainingError("no more films")

    made = ahead(make())
    assert [next(made) for _ in range(5)] == [*range(5)]
    with pytest.raises(TrainingError, match="no more films"):
        next(made)
    assert threading.current_thread() not in makers


def checkpoint(value: float) -> Checkpoint:
    generator = np.random.default_rng(1).bit_generator.state
    return Checkpoint({"epoch": 3, "generator": generator}, {"weights": {"a/b": np.full(5000, value)}})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save(tmp_path / "1.npz", checkpoint(0.5))
    again = load(tmp_path / "1.npz")
    assert again is not None
    assert again.facts == checkpoint(0.5).facts
    np.testing.assert_array_equal(again.arrays["weights"]["a/b"], checkpoint(0.5).arrays["weights"]["a/b"])
    assert load(tmp_path / "2.npz") is None


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    save(tmp_path / "1.npz", checkpoint(0.5))
    (tmp_path / "1.npz").write_bytes((tmp_path / "1.npz").read_bytes()[:-300])
    with pytest.raises(TrainingError, match="is damaged"):
        load(tmp_path / "1.npz")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk does to one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "1.npz"
    save(path, checkpoint(0.5))
    with files_of_at_most(20_000), pytest.raises(TrainingError, match="cannot be written") as caught:
        save(path, checkpoint(0.75))
    assert "\n" not in str(caught.value)
    again = load(path)
    assert again is not None
    assert again.arrays["weights"]["a/b"][0] == 0.5
    assert [*tmp_path.iterdir()] == [path]


def test_a_line_that_does_not_fit_on_the_disk_leaves_no_half(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('name = "x"\n[network]\nbuilder = "residual_gap"\n')
    run = begin(tmp_path / "run", tmp_path / "x.toml")
    run.append("history.jsonl", {"epoch": 1})
    with files_of_at_most(20), pytest.raises(TrainingError, match="cannot be written"):
        run.append("history.jsonl", {"epoch": 2})
    run.append("history.jsonl", {"epoch": 3})
    assert run.lines("history.jsonl") == [{"epoch": 1}, {"epoch": 3}]


def test_too_little_disk_is_refused_before_the_start() -> None:
    check_disk(Path("run"), 50_000_000, 50_000_000)
    with pytest.raises(TrainingError, match="run: training needs 50 MB of disk, 12 MB are free; free some"):
        check_disk(Path("run"), 50_000_000, 12_000_000)


def test_the_expected_time_in_words() -> None:
    assert expected({((25, 8.6),): 3}, 0.0) == "about 11 min: 3 networks × 25 epochs × 8.6 s"
    assert expected({((10, 6.0),): 1}, 0.5) == "about 30 s: 1 network × 10 epochs × 6.0 s, 50% of it done"
    both = {((5, 20.0), (16, 8.0)): 3, ((25, 8.0),): 2}
    assert expected(both, 0.0) == (
        "about 18 min: 3 networks × (5 epochs × 20.0 s + 16 epochs × 8.0 s), 2 networks × 25 epochs × 8.0 s"
    )


def test_the_pace_leaves_out_the_step_that_compiles() -> None:
    times, told = iter([100.0, 101.0]), []
    pace = Pace(lambda: next(times), told.append, steps=60)
    for _ in range(30):
        pace.step()
    assert told == [0.2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_at_once_or_after_the_step(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with on_signal(), pytest.raises(Interrupted):
        signal.raise_signal(number)
    with on_signal() as stop, stop.stepping():
        stop.check()
        signal.raise_signal(number)
        with pytest.raises(Interrupted):
            stop.check()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("line", "near"),
    [("learning_rat = 1", "schedule.learning_rate"), ("mixupp = 0.2", "schedule.mixup"), ("seed = 1", "schedule.seeds")],
)
def test_an_unknown_key_names_the_nearest_known_one(line: str, near: str) -> None:
    text = f'name = "x"\n[network]\nbuilder = "residual_gap"\n[schedule]\n{line}\n'
    with pytest.raises(TrainingError, match=rf"did you mean {near}\?"):
        recipe.parse(text, "x.toml")


def test_a_key_of_the_optional_table_is_known_too() -> None:
    text = 'name = "x"\n[network]\nbuilder = "x"\n[pretrain]\nepoch = 5\nlearning_rate = 1e-3\n'
    with pytest.raises(TrainingError, match=r"pretrain.epoch: .*did you mean pretrain.epochs\?"):
        recipe.parse(text, "x.toml")


def test_seeds_to_pretrain_are_seeds_of_the_schedule() -> None:
    text = 'name = "x"\n[network]\nbuilder = "x"\n[pretrain]\nepochs = 5\nlearning_rate = 1e-3\nseeds = [1, 7]\n'
    with pytest.raises(TrainingError, match=r"pretrain.seeds: 7 is none of schedule.seeds"):
        recipe.parse(text, "x.toml")


def test_an_opinion_needs_softened_labels() -> None:
    text = 'name = "x"\n[network]\nbuilder = "x"\n[opinion]\nepochs = 5\nlearning_rate = 1e-3\n'
    with pytest.raises(TrainingError, match=r"opinion: needs labels.soften"):
        recipe.parse(text, "x.toml")


def reported(number: int, radiologist: str = "") -> Film:
    """A film with an abnormal report; each two are of one patient."""
    return Film(
        digest=str(number),
        source_name="",
        patient=str(number // 2),
        view="PA",
        sex="F",
        age=50,
        text_label="abnormal",
        radiologist_label=radiologist,
        radiologist_source="",
        findings="",
        pool="",
        split="train",
    )


def test_opinions_move_the_labels_of_films_that_no_radiologist_saw_and_of_no_others() -> None:
    seen = [reported(number, "abnormal" if number % 2 else "normal") for number in range(20)]
    films = [*seen, reported(20), reported(21)]
    said = np.array([*(2.0 if number % 2 else -2.0 for number in range(20)), -2.0, 2.0])
    before, after = (weights.labels(films, Labels(soften=True), opinions) for opinions in (None, said))
    np.testing.assert_array_equal(before[:20], after[:20])
    assert before[20] == before[21]
    assert after[20] < 0.2 < 0.8 < after[21]


def test_a_patient_is_in_one_part_only_and_each_film_is_asked_about_once() -> None:
    films = [reported(number) for number in range(30)]
    parts = opinion._parts(films, 3)
    assert (np.sum([*parts.values()], axis=0) == 1).all()
    for held_out in parts.values():
        asked = {film.patient for film, out in zip(films, held_out, strict=True) if out}
        assert asked
        assert not asked & {film.patient for film, out in zip(films, held_out, strict=True) if not out}


def test_the_same_picture_under_another_name_is_no_film_to_pretrain_on(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).random((5, 8, 8, 1)).astype(np.float32)
    material.check_pictures(pictures[:2], pictures[2:], tmp_path)
    with pytest.raises(TrainingError, match="1 films are films of val or test"):
        material.check_pictures(pictures[:3], pictures[2:], tmp_path)


def test_half_a_line_at_the_end_of_the_history_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path, recipe.parse('name = "x"\n[network]\nbuilder = "x"\n', "x.toml"))
    run.append("history.jsonl", {"seed": 1})
    with (tmp_path / "history.jsonl").open("a") as history:
        history.write('{"seed": 1, "epo')
    assert run.lines("history.jsonl") == [{"seed": 1}]


@pytest.mark.parametrize("seeds", ["[1, 1]", "[-1]", "[5000000000]"])
def test_seeds_that_are_none(seeds: str) -> None:
    with pytest.raises(TrainingError, match=r"schedule\.seeds"):
        recipe.parse(f'name = "x"\n[network]\nbuilder = "x"\n[schedule]\nseeds = {seeds}\n', "x.toml")
