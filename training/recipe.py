"""A recipe: everything that decides a training, as TOML. Unknown keys are errors."""

import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from training.errors import TrainingError
from triage.imaging.spec import NEWEST, PreprocessingSpec

RECIPES = Path(__file__).parent / "recipes"
"""The recipes that come with the project; a path to one's own works as well."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Strict):
    """Which builder of :mod:`training.networks`, and its arguments (height and width come from the input)."""

    builder: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Input(_Strict):
    """The preprocessing of a film, see :class:`triage.imaging.spec.PreprocessingSpec`."""

    algorithm: str = NEWEST
    height: int = 128
    width: int = 128

    def spec(self) -> PreprocessingSpec:
        """As the service knows it."""
        return PreprocessingSpec(algorithm=self.algorithm, height=self.height, width=self.width)


class Labels(_Strict):
    """How much a film's label counts, by who gave it.

    ``radiologist``, ``peer`` and ``text`` are relative weights of films that a radiologist labelled, of others that a peer
    network has scored, and of the rest; ``prefer_radiologist`` takes the radiologist's label where there is one; ``soften``
    replaces the others' text label by how often radiologists call such films abnormal; ``balance`` 1 gives each cell
    of view × label the same total weight (the view is a shortcut to the label), 0 leaves them as they are.
    """

    prefer_radiologist: bool = True
    radiologist: float = Field(default=1.0, gt=0)
    text: float = Field(default=0.15, ge=0)
    peer: float = Field(default=0.15, ge=0)
    soften: bool = False
    balance: float = Field(default=1.0, ge=0, le=1)


class Augment(_Strict):
    """Strength of each random change of a film: fractions of the side, degrees, fractions of the grey range; blur in pixels."""

    shift: float = Field(default=0.0, ge=0, le=0.3)
    zoom: float = Field(default=0.0, ge=0, le=0.5)
    rotate: float = Field(default=0.0, ge=0, le=45)
    contrast: float = Field(default=0.0, ge=0, le=0.9)
    brightness: float = Field(default=0.0, ge=0, le=0.5)
    gamma: float = Field(default=0.0, ge=0, le=0.9)
    noise: float = Field(default=0.0, ge=0, le=0.2)
    blur: float = Field(default=0.0, ge=0, le=5)
    erase: float = Field(default=0.0, ge=0, le=0.5)
    flip: bool = False


class Schedule(_Strict):
    """The optimisation. One network is trained per seed; several are bundled as one (a committee).

    ``ema``: decay per step of the average of the weights. ``patience``: epochs without a better val AUC before a network
    is left as it is. ``mixup``: Zhang et al. 2018, each film blended with another by a share drawn from
    Beta(mixup, mixup). 0 switches each of them off.
    """

    optimizer: str = Field(default="adamw", pattern="^(adam|adamw)$")
    epochs: int = Field(default=25, ge=1)
    batch: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    cosine: bool = True
    weight_decay: float = Field(default=0.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    ema: float = Field(default=0.0, ge=0, lt=1)
    patience: int = Field(default=0, ge=0)
    mixup: float = Field(default=0.0, ge=0, le=1)
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(1,), min_length=1)

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed once: the same one gives the same network again")
        return seeds


class Pretrain(_Strict):
    """First train a network on another data set (``--pretrain-data``: its train and val films, text labels, both classes
    of equal weight), then replace its head and go on. The optimiser is that of the recipe, and so is the augmentation, unless
    the table brings its own.

    ``seeds``: which networks; none named: all. ``then_epochs`` and ``then_learning_rate`` stand in for the schedule's where
    a network was pretrained: it needs less of both than one that starts from nothing.
    """

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    seeds: tuple[int, ...] = ()
    then_epochs: int | None = Field(default=None, ge=1)
    then_learning_rate: float | None = Field(default=None, gt=0)
    augment: Augment | None = None


class Opinion(_Strict):
    """A second opinion on train films that no radiologist has labelled, before anything is learned for good.

    The first network learns all but one of ``folds`` parts of train (parts by patient) and says what it sees in the films of
    that part; so for each part, from the same beginning. ``labels.soften`` then takes its answers as evidence, beside text
    label, view and peer. ``augment``: in place of the recipe's.
    """

    folds: int = Field(default=3, ge=2)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    augment: Augment | None = None


class Recipe(_Strict):
    """A whole recipe file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    purpose: str = ""
    network: Network
    input: Input = Input()
    labels: Labels = Labels()
    augment: Augment = Augment()
    pretrain: Pretrain | None = None
    opinion: Opinion | None = None
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _seeds_are_the_schedule_s(self) -> "Recipe":
        strange = set(self.pretrain.seeds) - set(self.schedule.seeds) if self.pretrain else set()
        if strange:
            raise ValueError(f"pretrain.seeds: {min(strange)} is none of schedule.seeds")
        return self

    @model_validator(mode="after")
    def _opinions_are_heeded(self) -> "Recipe":
        if self.opinion and not (self.labels.soften and self.labels.prefer_radiologist):
            raise ValueError("opinion: needs labels.soften and labels.prefer_radiologist, else nobody asks for it")
        return self


def parse(text: str, origin: str) -> Recipe:
    """The recipe in ``text``; ``origin`` names it in errors.

    Raises:
        TrainingError: not TOML, an unknown key or a value out of range.
    """
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"recipe {origin} is not TOML: {error}") from None
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        raise TrainingError(f"recipe {origin}: {faults}. The keys are those of training/recipes/recommended.toml") from None


def _fault(found: Any) -> str:
    """One of pydantic's findings; an unknown key comes with the known one that looks most like it."""
    key = ".".join(map(str, found["loc"]))
    near = get_close_matches(key, [*_keys(Recipe)], 1) if found["type"] == "extra_forbidden" else []
    return f"{key}: {found['msg'].lower()}" + (f", did you mean {near[0]}?" if near else "")


def _keys(model: type[BaseModel], table: str = "") -> Iterator[str]:
    """Every key of a recipe, with its tables: ``schedule``, ``schedule.epochs``."""
    for name, field in model.model_fields.items():
        yield table + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _keys(kind, f"{table}{name}.")


def find(name: str) -> Path:
    """The file of a recipe: a path, or the name of one that comes with the project.

    Raises:
        TrainingError: there is none.
    """
    for path in (Path(name), RECIPES / f"{name}.toml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in RECIPES.glob("*.toml")))
    raise TrainingError(f"no recipe {name!r}; give a TOML file or one of: {known}")
