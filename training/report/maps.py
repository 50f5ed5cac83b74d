"""What the network looked at: class-activation maps of right and wrong films, activation maps of every stage of one film."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from scipy.ndimage import zoom

from training.report import choice, drawing, page
from training.report.films import credit_line, lines_of
from training.report.page import Section

if TYPE_CHECKING:
    from training.report.evidence import Evidence

CHANNELS = 8
TILE = 120
"""Side of an activation map on the page, in pixels."""
OPACITY = 0.5
FOR, AGAINST = "#ff8c1a", "#7b4fd6"
FULL = 90
"""Percentile of all contributions shown, without sign, at which the colour is full."""
HEADINGS = {
    ("abnormal", True): "Right: abnormal and flagged",
    ("normal", False): "Right: normal and not flagged",
    ("normal", True): "Wrong: normal but flagged",
    ("abnormal", False): "Wrong: abnormal but not flagged",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's name and its activation maps of one film, (h, w, C)."""

    name: str
    maps: NDArray[np.float32]

    @property
    def title(self) -> str:
        """The name for people: ``conv3``: convolution 3; ``member0_stage2_out``: stage 3 of the first member."""
        stage = re.fullmatch(r"member0_stage(\d+)_out", self.name)
        return (
            f"stage {int(stage[1]) + 1}"
            if stage
            else {"member0_stem_relu": "stem"}.get(self.name, self.name.replace("conv", "convolution "))
        )


def class_activation(last: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each place of the last stage adds to the logit, (n, h, w), from maps (n, h, w, C) and the head's kernel (C,).

    The mean over all places plus the head's bias is the logit: with global average pooling and a linear head the map is
    exact (Zhou et al. 2016, Learning deep features for discriminative localization).
    """
    product: NDArray[np.float64] = last @ kernel
    return product


def overlay(film: NDArray[np.uint8], contributions: NDArray[np.float64], limit: float) -> NDArray[np.uint8]:
    """The film (H, W) under its map (h, w), (H, W, 3): orange speaks for abnormal, purple against, full colour at ``limit``.

    A frame marks the place that speaks loudest for abnormal, if any does, so that colour is not alone.
    """
    height, width = film.shape
    rows, columns = contributions.shape
    fine = zoom(contributions, (height / rows, width / columns), order=1, mode="nearest", grid_mode=True)
    strength = np.clip(fine / limit, -1, 1)[:, :, None]
    colours = np.where(strength > 0, to_rgb(FOR), to_rgb(AGAINST))
    opacity = OPACITY * np.abs(strength)
    pixels: NDArray[np.uint8] = (255 * (film[:, :, None] / 255 * (1 - opacity) + colours * opacity)).round().astype(np.uint8)
    if contributions.max() > 0:
        row, column = np.unravel_index(int(contributions.argmax()), contributions.shape)
        top, bottom, left, right = (
            row * height // rows,
            (row + 1) * height // rows,
            column * width // columns,
            (column + 1) * width // columns,
        )
        for inset, tone in ((0, 0), (1, 255), (2, 255), (3, 0)):
            edge = np.zeros((height, width), dtype=bool)
            edge[top + inset : bottom - inset, left + inset : right - inset] = True
            edge[top + inset + 1 : bottom - inset - 1, left + inset + 1 : right - inset - 1] = False
            pixels[edge] = tone
    return pixels


def strip(layer: Layer) -> NDArray[np.uint8]:
    """The maps of a layer that vary most, each stretched to its own range, side by side, (TILE, width)."""
    deviations = layer.maps.std(axis=(0, 1))
    chosen = np.sort(np.argsort(-deviations, kind="stable")[:CHANNELS])
    tiles = []
    for channel in chosen:
        values = layer.maps[:, :, channel]
        low, high = float(values.min()), float(values.max())
        scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
        rows, columns = (np.arange(TILE) * side // TILE for side in values.shape)
        tiles += [(scaled[np.ix_(rows, columns)] * 255).round().astype(np.uint8), np.full((TILE, 6), 255, dtype=np.uint8)]
    return np.concatenate(tiles[:-1], axis=1)


def section(evidence: "Evidence") -> Section:
    """Class-activation maps, then activation maps."""
    return Section(
        "maps", "What the network looked at", (*_class_maps(evidence), *_activations(evidence), credit_line(evidence))
    )


def _class_maps(evidence: "Evidence") -> list[Markup]:
    if not evidence.class_maps:
        return [
            page.paragraph(
                "Class-activation maps are not available: this network ends in dense layers over all places, not in global "
                "average pooling and one linear layer, so no map adds up to its answer exactly."
            )
        ]
    shown, any_map = evidence.shown, next(iter(evidence.class_maps.values()))
    limit = float(np.percentile(np.abs(np.stack(list(evidence.class_maps.values()))), FULL)) or 1.0
    blocks = [
        page.paragraph(
            f"Class-activation maps of {shown.name} films: what each of {any_map.shape[0]} × {any_map.shape[1]} places adds "
            "to the answer. Orange speaks for abnormal, purple against; the frame marks the place that speaks loudest for "
            "abnormal, where any does. The places add up to the logit exactly (mean over all places plus the bias), but a "
            "place sees much of the film around it: the maps are coarse, and no outline of a finding. One colour scale "
            f"holds for all films, full at ± {limit:.1f}."
        )
    ]
    for kind in choice.ANSWERS:
        places = choice.answers(shown.films, shown.probabilities, evidence.threshold, *kind)
        pictures = []
        for place in places:
            film = shown.films[place]
            picture = evidence.pictures[film.digest]
            coloured = overlay(picture, evidence.class_maps[film.digest], limit)
            gap = np.full((len(picture), 4, 3), 255, dtype=np.uint8)
            both = np.concatenate([np.repeat(picture[:, :, None], 3, axis=2), gap, coloured], axis=1)
            lines = lines_of(film, float(shown.probabilities[place]))
            pictures.append(page.picture(drawing.jpeg(both), f"Film and its map: {'; '.join(lines)}", lines, "pair"))
        if pictures:
            blocks.append(page.gallery(HEADINGS[kind], pictures))
    return blocks


def _activations(evidence: "Evidence") -> list[Markup]:
    film = evidence.layers_of
    place = [each.digest for each in evidence.val.films].index(film.digest)
    lines = lines_of(film, float(evidence.val.probabilities[place]))
    blocks = [
        page.gallery(
            "Activation maps of one film, stage by stage",
            [page.picture(drawing.jpeg(evidence.pictures[film.digest]), "The val film of the activation maps", lines)],
        ),
        page.paragraph(
            f"Of each layer (of a committee: its first member) the {CHANNELS} maps that vary most over this val film, each "
            "stretched to its own range of grey. Early layers follow edges and ribs; late ones answer to regions and "
            "cannot be read as anatomy."
        ),
    ]
    for layer in evidence.layers:
        height, width, channels = layer.maps.shape
        caption = f"{layer.title}: {channels} maps of {height} × {width}"
        blocks.append(page.picture(drawing.png(strip(layer)), caption, [caption], "strip"))
    return blocks
