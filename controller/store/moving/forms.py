"""A row on its way: as one database gives it, as the other one takes it, and its hash, the same on both.

JSON travels as its text, so that a JSON null and no value at all stay two things. What a database cannot keep
to the letter is made fit first, and counted; the hash is of what it keeps.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Float,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    insert,
    select,
    type_coerce,
)

from controller.store import engine, server
from controller.store.types import UtcTime

EXACT = 2**53  # whole numbers from here on a fraction does not carry exactly
WIDEST = 2**63  # SQLite keeps a lone number from here on as a fraction
# in a row's JSON: what PostgreSQL does not have, or what looks like it
_ODD = re.compile(r"\\u0000|\\ud[89a-f]|NaN|Infinity")

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _number(text: str) -> int | float:
    """A number of JSON by its value alone: PostgreSQL writes a large fraction out as a whole number."""
    value = float(text)
    if not value.is_integer():
        return value
    return int(value) if abs(value) < EXACT else int(Decimal(text))


_decode = json.JSONDecoder(parse_float=_number).decode  # made once: it is asked for each document


@dataclass(frozen=True, slots=True)
class Fitted:
    """A row as the other database takes it."""

    values: list[Any]  # in the order of the columns, JSON as its text
    size: int  # characters, about
    digest: int
    changed: bool  # it could not be kept to the letter


class Form:
    """How the rows of one table are read, hashed, and added to a database of the kind `to`."""

    def __init__(self, table: Table, *, to: str) -> None:
        self.table = table
        self._to = to
        self._names = [column.name for column in table.columns]
        self._documents = [at for at, column in enumerate(table.columns) if isinstance(column.type, JSON)]
        self._insert = insert(table).values({column.name: _bound(column) for column in table.columns})
        self._told = [
            (at, tell) for at, column in enumerate(table.columns) if (tell := _telling(column)) is not None
        ]

    def reading(self, kind: str) -> Select[Any]:
        """A query for all rows, from a database of this kind."""
        return select(*(_read(column, kind) for column in self.table.columns))

    def add(self, connection: Connection, rows: Sequence[Fitted]) -> None:
        """Add rows to the database that they were made fit for."""
        if self._to == engine.POSTGRESQL:
            server.copy_in(connection, self.table, (row.values for row in rows))
            return
        parameters = [dict(zip(self._names, row.values, strict=True)) for row in rows]
        connection.execute(self._insert, parameters)

    def fitted(self, row: Sequence[Any]) -> Fitted:
        """A row as it was read, made fit for the other database.

        Raises:
            ValueError: it holds what its column cannot, by somebody's hand.
        """
        values, told = list(row), list(row)
        changed = False
        for at in self._documents:
            if (found := values[at]) is not None:
                text = found if isinstance(found, str) else json.dumps(found)
                values[at], told[at] = text, _decode(text)
                if self._to == engine.SQLITE:
                    changed |= self._fit_for_file(values, told, at)
                told[at] = [told[at]]  # which no value at all is not
        for at, tell in self._told:
            if told[at] is not None:
                told[at] = tell(told[at])
        said = _said(told)
        if self._to == engine.POSTGRESQL and _ODD.search(said):
            changed = self._fit_for_server(values, told)
            said = _said(told)
        digest = int.from_bytes(hashlib.sha256(said.encode()).digest())
        return Fitted(values, len(said), digest, changed)

    def _fit_for_file(self, values: list[Any], told: list[Any], at: int) -> bool:
        """A document as SQLite's own rows have it: in ASCII, or a lone number as that."""
        is_number = isinstance(told[at], int | float) and not isinstance(told[at], bool)
        if not is_number:
            if not values[at].isascii():
                values[at] = json.dumps(json.loads(values[at]))
            return False
        number = told[at]
        values[at] = number
        if isinstance(number, float) or -WIDEST <= number < WIDEST:
            return False
        try:
            values[at] = float(number)
        except OverflowError as error:
            raise ValueError("a number is too large") from error
        told[at] = _number(repr(values[at]))
        return bool(told[at] != number)

    def _fit_for_server(self, values: list[Any], told: list[Any]) -> bool:
        changed = False
        for at, value in enumerate(values):
            if value is None or not isinstance(value, str):
                continue
            if at not in self._documents:
                values[at] = told[at] = server.without_nul(value)
                changed |= values[at] != value
                continue
            document = json.loads(value)
            storable = _storable(document)
            if storable != document:
                values[at] = json.dumps(storable, ensure_ascii=False)
                told[at] = [_decode(values[at])]
                changed = True
        return changed


def _read(column: Column[Any], kind: str) -> ColumnElement[Any]:
    if not isinstance(column.type, JSON):
        return column
    return cast(column, Text) if kind == engine.POSTGRESQL else type_coerce(column, Text())


def _bound(column: Column[Any]) -> BindParameter[Any]:
    return bindparam(column.name, type_=Text() if isinstance(column.type, JSON) else column.type)


def _telling(column: Column[Any]) -> Callable[[Any], Any] | None:
    """How a value is told in a hash, where JSON does not do that by itself."""
    if isinstance(column.type, UtcTime):
        return datetime.isoformat
    return _without_sign if isinstance(column.type, Float) else None


def _without_sign(value: float) -> float:
    return value + 0.0  # SQLite has no -0.0


def _said(told: list[Any]) -> str:
    try:
        return _encode(told)
    except TypeError as error:
        raise ValueError("a value is not of its column's type") from error


def _storable(value: Any) -> Any:
    """A value as PostgreSQL can keep it in JSON."""
    match value:
        case str():
            # half a character has no bytes
            return server.without_nul(value.encode(errors="backslashreplace").decode())
        case dict():
            return {_storable(key): _storable(each) for key, each in value.items()}
        case list():
            return [_storable(each) for each in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value
