"""Whole numbers of floating-point ones: CAST cuts off in SQLite, and rounds in PostgreSQL."""

from typing import Any

from sqlalchemy import Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class whole(GenericFunction[int]):  # noqa: N801 - named as SQL functions are
    """The number without what stands behind its point."""

    type = Integer()
    inherit_cache = True


@compiles(whole, "sqlite")
def _cut_off(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS INTEGER)"


@compiles(whole, "postgresql")
def _truncated(element: Any, compiler: Any, **options: Any) -> str:
    return f"CAST(trunc({compiler.process(element.clauses, **options)}) AS INTEGER)"
