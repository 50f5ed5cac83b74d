"""What training refuses, and how it says so."""

from dataclasses import replace
from pathlib import Path

import pytest

from training import manifest, recipe
from training.errors import TrainingError
from triage.inference.bundle import BUILDERS


def film(patient: str, split: str, digest: str) -> manifest.Film:
    return manifest.Film(
        digest=digest,
        source_name=f"{digest}.png",
        patient=patient,
        view="PA",
        sex="F",
        age=50,
        text_label="normal",
        radiologist_label="",
        radiologist_source="",
        findings="",
        pool="a",
        split=split,
    )


FILMS = [film("p1", "train", "d1"), film("p2", "val", "d2"), film("p3", "test", "d3"), film("p3", "extra", "d4")]


def test_one_patient_in_one_split_is_fine() -> None:
    manifest.check(FILMS)


@pytest.mark.parametrize(
    ("films", "message"),
    [
        ([*FILMS, film("p1", "test", "d5")], "patient p1 is in both train and test"),
        ([*FILMS, film("p9", "train", "d1")], "occurs twice"),
        (FILMS[:2], "no film in split test"),
        ([replace(FILMS[0], text_label="benign"), *FILMS[1:]], "text_label 'benign'"),
        ([replace(FILMS[0], view="LL"), *FILMS[1:]], "view 'LL'"),
    ],
)
def test_a_manifest_that_would_spoil_the_evidence(films: list[manifest.Film], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        manifest.check(films)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rat = 1", "schedule.learning_rat: extra inputs"),
        ("epochs = 0", "schedule.epochs"),
        ("epochs = ", "not TOML"),
    ],
)
def test_a_recipe_with_a_fault(line: str, message: str) -> None:
    text = f'name = "x"\n[network]\nbuilder = "residual_gap"\n[schedule]\n{line}\n'
    with pytest.raises(TrainingError, match=message):
        recipe.parse(text, "x.toml")


def test_the_recipes_that_come_with_the_project_are_sound() -> None:
    for path in sorted(recipe.RECIPES.glob("*.toml")):
        assert recipe.parse(path.read_text(), path.name).network.builder in BUILDERS


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(TrainingError, match=r"give a TOML file or one of: .*paper.*recommended"):
        recipe.find("recomended")


def test_a_directory_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="run: import"):
        manifest.read(tmp_path)


@pytest.mark.training
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's own import
def test_the_service_and_training_know_the_same_builders() -> None:
    from training.networks import BUILDERS as BUILT

    assert set(BUILT) == BUILDERS
