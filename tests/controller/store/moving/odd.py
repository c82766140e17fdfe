"""Rows for every table that hold what a database could lose: bounds, odd characters, fractions, nothing at all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Engine, Float, Integer, Table, select

from controller.store.tables import METADATA
from controller.store.types import UtcTime

ROWS = 6
TEXTS = (
    "",
    " 'a' \"b\" \\u0041 \\ ",
    "é🙂\u202e\u2028\ufffd␀",
    "null",
    "\x01\x7f\x80\ttab\nline",
    "Z" * 5_000,
)
DOCUMENTS: tuple[Any, ...] = (
    {},
    [],
    {"b": 1, "a": [None, True, 2**60 + 1, 1e22, 1e-7, -0.0, 5.0], "é🙂": {"": "\\u0041␀"}},
    "text",
    0.1,
    {"deep": [[[[{"x": 1.7976931348623157e308}]]]], "long": "y" * 3_000},
)
NUMBERS = (0, -1, 2**31 - 1, -(2**31), 7, 42)
FRACTIONS = (0.0, 0.1, -0.0, 5e-324, 1.7976931348623157e308, float("inf"))
TIMES = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 2, 12, 12, 0, 0, 120_000, tzinfo=UTC),
)

Rows = dict[str, list[dict[str, Any]]]


def fill(writer: Engine) -> None:
    """Put rows into every table."""
    with writer.begin() as connection:
        for table in METADATA.sorted_tables:
            rows = [{column.name: a_value(column, row) for column in table.columns} for row in range(ROWS)]
            connection.execute(table.insert(), rows)


def a_value(column: Column[Any], row: int) -> Any:
    """Something that fits. What may be nothing is nothing in one row, another one in each column."""
    if column.foreign_keys:
        (reference,) = column.foreign_keys
        return a_value(reference.column, row)
    if column.nullable and (row + len(column.name)) % ROWS == 0:
        return None
    is_key = column.primary_key or column.unique or _is_in_a_key(column)
    match column.type:
        case Boolean():
            return bool(row % 2)
        case Integer():
            return row + 1 if is_key else NUMBERS[row]
        case Float():
            return FRACTIONS[row]
        case UtcTime():
            return TIMES[row]
        case JSON():
            return DOCUMENTS[row]
    return f"{row} {TEXTS[row]}" if is_key else TEXTS[row]


def _is_in_a_key(column: Column[Any]) -> bool:
    table = column.table
    assert isinstance(table, Table)
    return any(column.name in getattr(each, "columns", {}) for each in table.constraints)


def contents(database: Engine) -> Rows:
    """Every row of every table."""
    with database.connect() as connection:
        return {
            table.name: _sorted(
                [by_value(dict(row)) for row in connection.execute(select(table)).mappings()], table
            )
            for table in METADATA.sorted_tables
        }


def by_value(value: Any) -> Any:
    """The same with its large numbers by their value: a fraction that JSONB keeps comes back as a whole number."""
    if isinstance(value, dict):
        return {key: by_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [by_value(each) for each in value]
    is_large = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= 2**53
    return Decimal(repr(value)) if is_large else value


def _sorted(rows: list[dict[str, Any]], table: Table) -> list[dict[str, Any]]:
    keys: Sequence[str] = [column.name for column in table.primary_key]
    return sorted(rows, key=lambda row: [str(row[name]) for name in keys])
