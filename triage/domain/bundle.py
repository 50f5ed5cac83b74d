"""What an administrator is told of a bundle: what it is, what it proved, what the promotion gate said of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

SLOW_MS = 40.0
"""Milliseconds a film, on one thread, above which an administrator is warned."""
PASS, FAIL, NOT_ENOUGH = "pass", "fail", "not enough evidence"
"""The gate's verdicts, as ``python -m training promote`` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was proved of a bundle.

    ``files``: with the digest that the manifest names · ``golden``: films that gave their probability again ·
    ``references``: labelled films of the packaged bundle in the right order; 0: ``left_out`` says why none was asked ·
    ``median_ms``, ``slowest_ms``: the network on one golden film, one thread · ``gate``: whether it brings an image gate; if
    so, it let known films pass and kept them back once turned or inverted.
    """

    bundle_id: str
    files: int
    golden: int
    references: int
    left_out: str | None
    median_ms: float
    slowest_ms: float
    gate: bool = False

    @property
    def slow(self) -> bool:
        """Whether the median film takes longer than :data:`SLOW_MS`."""
        return self.median_ms > SLOW_MS

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        ranked = (
            f"reference films left out, {self.left_out}" if self.left_out else f"{self.references} reference films in order"
        )
        gate = (
            "the image gate tells upright films from spoiled ones" if self.gate else "no image gate: films are judged by tags"
        )
        slow = f", slower than {SLOW_MS:.0f} ms" if self.slow else ""
        return (
            f"{self.files} files as the manifest says; {self.golden} golden films gave their probability again; "
            f"{ranked}; {gate}; a film takes {self.median_ms:.1f} ms (median, one thread){slow}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A line of the gate's table."""

    name: str
    rule: str
    measured: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The gate's record of one bundle."""

    verdict: str
    checks: tuple[Check, ...]
    against: tuple[str, ...]
    decided_at: str
    approved_by: str | None
    reason: str | None

    @classmethod
    def of(cls, record: Any, bundle_id: str) -> Self:
        """The record that ``training promote`` wrote.

        Raises:
            ValueError: it is none, or speaks of another bundle.
        """
        try:
            if record["bundle_id"] != bundle_id:
                raise ValueError("the record speaks of another bundle")
            if record["verdict"] not in (PASS, FAIL, NOT_ENOUGH):
                raise ValueError("the record has an unknown verdict")
            names = Check.__dataclass_fields__
            return cls(
                verdict=record["verdict"],
                checks=tuple(Check(**{name: str(check[name]) for name in names}) for check in record["checks"]),
                against=tuple(f"{name}: {label}" for name, label in record["against"].items()),
                decided_at=str(record["decided_at"]),
                approved_by=_text(record["approved_by"]),
                reason=_text(record["reason"]),
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("the record lacks what a record has") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A bundle as a list shows it.

    ``active_since``: ISO 8601; ``None`` unless somebody chose it and it is active. ``previous``: a rollback leads here.
    ``promotion``: the gate's record, or ``None``; ``promotion_fault``: why a record that lies there cannot be used.
    """

    bundle_id: str
    name: str
    version: str
    packaged: bool
    active: bool
    active_since: str | None = None
    previous: bool = False
    promotion: Promotion | None = None
    promotion_fault: str | None = None

    @property
    def needs_reason(self) -> bool:
        """Whether whoever activates it has to say why: no record says *pass*."""
        return self.promotion is None or self.promotion.verdict != PASS

    @property
    def barred(self) -> bool:
        """A failed bundle may not serve, whoever asks: the gate's own rule."""
        return self.promotion is not None and self.promotion.verdict == FAIL

    @property
    def verdict(self) -> str | None:
        """The gate's verdict; ``None``: there is none."""
        return self.promotion.verdict if self.promotion else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A bundle with what it says of itself: ``text``, its model card; ``documents`` by name without ``.json``."""

    entry: Entry
    text: str
    documents: Mapping[str, Any]
    golden: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number that is never without its interval and n. ``value`` ``None``: too few films to say."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, found: Any) -> Self | None:
        """A figure of ``metrics.json``; ``None``: it is none, or lacks its interval or n."""
        if not isinstance(found, Mapping) or not isinstance(found.get("n"), int):
            return None
        numbers = [found.get(name) for name in ("value", "low", "high")]
        if any(one is not None and not isinstance(one, int | float) for one in numbers):
            return None
        value, low, high = numbers
        whole = value is not None and low is not None and high is not None
        return (
            cls(value=value, low=low, high=high, n=found["n"]) if whole else cls(value=None, low=None, high=None, n=found["n"])
        )

    def __str__(self) -> str:
        if self.value is None:
            return f"– (n={self.n})"
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f}, n={self.n})"


def figures(columns: Sequence[Any]) -> list[tuple[str, list[Figure | None]]]:
    """Columns, each ``{row: figure}``, turned into rows with a figure for every column; rows as they first occur."""
    tables: list[Mapping[Any, Any]] = [table if isinstance(table, Mapping) else {} for table in columns]
    names = list(dict.fromkeys(name for table in tables for name in table))
    return [(str(name), [Figure.of(table.get(name)) for table in tables]) for name in names]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
