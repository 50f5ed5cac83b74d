"""Figures in SQL, and their in-memory twin. See :class:`triage.services.figure_store.FigureStore`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from triage.database.figure_table import figure
from triage.domain.figures import Key

_NEW = insert(figure)
_ADD = _NEW.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": figure.c.value + _NEW.excluded.value})
_PUT = _NEW.on_conflict_do_update(index_elements=["name", "labels"], set_={"value": _NEW.excluded.value})


class SqlFigures:
    """The store over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, counted: Mapping[Key, float]) -> None:
        if counted:
            self._connection.execute(_ADD, _rows(counted))

    def put(self, values: Mapping[Key, float]) -> None:
        if values:
            self._connection.execute(_PUT, _rows(values))

    def all(self) -> dict[Key, float]:
        rows = self._connection.execute(select(figure).order_by(figure.c.name, figure.c.labels))
        return {(row.name, tuple(json.loads(row.labels).items())): row.value for row in rows}


def _rows(samples: Mapping[Key, float]) -> list[dict[str, Any]]:
    return [
        {"name": name, "labels": json.dumps(dict(labels), separators=(",", ":")), "value": value}
        for (name, labels), value in sorted(samples.items())
    ]


@dataclass
class FigureState:
    """Part of a state that is copied whole."""

    figures: dict[Key, float] = field(default_factory=dict)


class MemoryFigures:
    """The store over a dictionary."""

    def __init__(self, rows: dict[Key, float]) -> None:
        self._rows = rows

    def add(self, counted: Mapping[Key, float]) -> None:
        for key, amount in counted.items():
            self._rows[key] = self._rows.get(key, 0.0) + amount

    def put(self, values: Mapping[Key, float]) -> None:
        self._rows.update(values)

    def all(self) -> dict[Key, float]:
        return dict(sorted(self._rows.items()))
