"""How a route says what its answer looks like, without having every answer checked."""

import json
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Json = dict[str, Any]
Row = TypeVar("Row")

EXAMPLE = "x-example"
MOMENT = "2026-02-12T10:30:05.120Z"  # of examples
ID = "0199f6a2-7c00-7000-8000-00000000000{}"
CHOSEN = "nine lives of a cat"  # somebody's password
SAID_ONCE = "said here and never again"
HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Shown:
    """Beside a type of plain JSON: it is passed on as it is, and described as this model."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # as one of several definitions it keeps its name; as the only one it would be spelled out in its place
        return handler(core_schema.definitions_schema(self._model.__pydantic_core_schema__, []))


class Items(BaseModel, Generic[Row]):
    """All there is of something."""

    items: list[Row]


class Page(Items[Row], Generic[Row]):
    """Some rows of a list. `next`: the cursor of the page behind them; null on the last one."""

    next: str | None


def example(shown: Json, *, whole: bool = True) -> ConfigDict:
    """How one looks, for people and for programs that make something up. `whole`: it has no fields beside these."""
    extra = _kept(shown)
    return (
        ConfigDict(json_schema_extra=extra) if whole else ConfigDict(extra="allow", json_schema_extra=extra)
    )


def asked(shown: Json, *, hide_input_in_errors: bool = False) -> ConfigDict:
    """The same of what is asked for, which has no field that is not described."""
    return ConfigDict(
        extra="forbid", hide_input_in_errors=hide_input_in_errors, json_schema_extra=_kept(shown)
    )


def page(row: Json) -> ConfigDict:
    """How a page of such rows looks."""
    return example({"items": [row], "next": None})


def _kept(shown: Json) -> JsonDict:
    # as text: FastAPI takes every null out of the description that it writes
    return {EXAMPLE: json.dumps(shown)}
