"""One network of a committee: its phases, epochs and steps; all of its state can be taken out and put back."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training import keras_network
from training.checkpoint import Checkpoint
from training.course import PRETRAIN, Phase
from training.errors import TrainingError
from training.material import Floats, Material, Val, ahead
from training.recipe import Schedule
from training.run import Run, Weights


class Member:
    """A network with its optimiser, the average of its weights, its random generators and the best it has been."""

    def __init__(self, run: Run, seed: int) -> None:
        keras_network.seed(seed)
        self._recipe = run.recipe
        self._network = keras_network.build(run.architecture, members=1)
        self._fresh = keras_network.weights_of(self._network)
        self._trainee: Any = None
        self._shown = run.recipe
        self._rng = np.random.default_rng(seed)
        self._start: Weights = {}
        self._average: Weights = {}
        self._best: Weights = {}
        self.facts: dict[str, Any] = {
            "phase": "",
            "epoch": 0,
            "best_epoch": 0,
            "best_val_auc": -1.0,
            "seconds": 0.0,
            "out_of_time": False,
        }

    def enter(self, phase: Phase) -> None:
        """Begin a phase with a fresh optimiser; after a pretraining: from its averaged weights, with a fresh head.

        What follows a pretraining, or nothing, all begins there, not where the phase before it ended.
        """
        if phase.name != PRETRAIN:
            fresh = {path: value for path, value in self._fresh.items() if keras_network.is_head(path)}
            self._start = self._start or ({**self._average, **fresh} if self._average else self._fresh)
            keras_network.put_weights(self._network, self._start)
        self._shown = self._recipe.model_copy(update={"augment": phase.augment or self._recipe.augment})
        schedule = self._recipe.schedule
        self._trainee = keras.Model(self._network.input, self._network.output["logit"])
        optimizer = _optimizer(schedule, phase)
        optimizer.build(self._trainee.trainable_variables)
        self._trainee.compile(
            optimizer=optimizer,
            loss=keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=schedule.label_smoothing),
        )
        self._average = {}
        self.facts |= {"phase": phase.name, "epoch": 0}

    def checkpoint(self) -> Checkpoint:
        """All of the state, between two epochs."""
        facts = {**self.facts, "generator": self._rng.bit_generator.state}
        arrays = {
            "weights": keras_network.weights_of(self._network),
            "start": self._start,
            "average": self._average,
            "best": self._best,
            "optimizer": keras_network.values(self._trainee.optimizer.variables),
            "dropout": keras_network.random_states(self._network),
        }
        return Checkpoint(facts, arrays)

    def restore(self, saved: Checkpoint) -> None:
        """Go on from a checkpoint of the phase that was entered.

        Raises:
            TrainingError: it is of another network.
        """
        keras_network.put_weights(self._network, saved.arrays["weights"])
        keras_network.assign(self._trainee.optimizer.variables, saved.arrays["optimizer"])
        keras_network.put_random_states(self._network, saved.arrays.get("dropout", {}))
        self._start = saved.arrays.get("start", {})
        self._average, self._best = saved.arrays["average"], saved.arrays.get("best", {})
        self._rng.bit_generator.state = saved.facts["generator"]
        self.facts = {name: saved.facts[name] for name in self.facts}

    def train_epoch(self, material: Material, stepped: Callable[[], None]) -> float:
        """One epoch; ``stepped`` hears of every step. Returns the mean loss.

        Raises:
            TrainingError: the loss is no number.
        """
        losses = []
        for films, labels, weights in ahead(material.epoch(self._shown, self._rng)):
            losses.append(float(self._trainee.train_on_batch(films, labels[:, np.newaxis], weights)))
            if not np.isfinite(losses[-1]):
                raise self._no_number("loss")
            self._average = _averaged(self._average, keras_network.weights_of(self._network), self._recipe.schedule.ema)
            stepped()
        self.facts["epoch"] += 1
        return float(np.mean(losses))

    def answers(self, films: Floats) -> NDArray[np.float64]:
        """What the averaged weights say of films, as logits.

        Raises:
            TrainingError: the network gives no numbers.
        """
        live = keras_network.weights_of(self._network)
        keras_network.put_weights(self._network, self._average)
        logits = keras_network.logits(self._network, films)
        keras_network.put_weights(self._network, live)
        if not np.isfinite(logits).all():
            raise self._no_number("network's answer")
        return logits

    def judge(self, val: Val) -> tuple[float, float]:
        """AUC and loss of the averaged weights on val; keeps them where the AUC is the best so far.

        Raises:
            TrainingError: the network gives no numbers.
        """
        logits = self.answers(val.films)
        auc = float(roc_auc_score(val.abnormal, logits))
        if auc > self.facts["best_val_auc"]:
            self.facts |= {"best_val_auc": auc, "best_epoch": self.facts["epoch"]}
            self._best = self._average
        return auc, float(np.mean(np.logaddexp(0.0, np.where(val.abnormal, -logits, logits))))

    @property
    def best(self) -> Weights:
        """The averaged weights of the epoch with the best val AUC."""
        return self._best

    def _no_number(self, what: str) -> TrainingError:
        epoch = self.facts["epoch"] + 1
        return TrainingError(
            f"the {what} is no number ({self.facts['phase']}, epoch {epoch}); lower learning_rate in the recipe, train anew"
        )


def _optimizer(schedule: Schedule, phase: Phase) -> Any:
    rate: Any = phase.learning_rate
    if schedule.cosine:
        total, warmup = phase.epochs * phase.steps, min(phase.steps, phase.epochs * phase.steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / 20, total - warmup, alpha=0.01, warmup_target=rate, warmup_steps=warmup
        )
    # a name of its own: Keras would number the optimisers of a process, and a resumed one would not find its variables
    if schedule.optimizer == "adam":
        return keras.optimizers.Adam(rate, name="optimizer")
    return keras.optimizers.AdamW(rate, weight_decay=schedule.weight_decay, name="optimizer")


def _averaged(average: Weights, now: dict[str, NDArray[Any]], decay: float) -> Weights:
    """Exponential moving average of all weights, batch statistics included."""
    if not average or decay == 0:
        return now
    return {path: decay * average[path] + (1 - decay) * value for path, value in now.items()}
