"""The API's description is whole: every answer has a shape and an example, and the examples fit."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from schemas.errors import ErrorCode
from tests.controller.api.documented import document
from tests.controller.api.test_door import OPEN_TO_ALL

Json = dict[str, Any]

PROBLEM = "application/problem+json"
NO_BODY = ("204", "303")
NO_REFUSAL = ("GET /readyz", "503")  # the answer itself, to whom only the status matters
LOCATED = {"commands_submit": "202", "commands_undo": "202", "keys_create": "201", "schedules_create": "201"}


def operations() -> Iterator[tuple[str, Json]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


ALL = dict(operations())
every_operation = pytest.mark.parametrize("name", ALL)


def schemas_of(operation: Json) -> Iterator[Json]:
    """What it asks for and what it answers with."""
    contents = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in contents:
        for media in content.get("content", {}).values():
            yield media["schema"]


def resolved(schema: Json) -> Json:
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def options(schema: Json) -> list[Json]:
    """A schema, or those that it is one of, without null."""
    return [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]


def test_it_is_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d", document()["openapi"])
    assert document()["info"]["title"] == "Orion"


@every_operation
def test_an_operation_says_what_it_does(name: str) -> None:
    operation = ALL[name]
    known = {each["name"]: each["description"] for each in document()["tags"]}

    assert operation["summary"].endswith((".", "?", "!")), operation["summary"]
    assert "Raises" not in operation.get("description", "")
    assert operation["tags"]
    assert set(operation["tags"]) <= set(known)


def test_each_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in ALL.values()]

    assert len(names) == len(set(names))


@every_operation
def test_what_an_operation_takes_and_gives_has_a_shape_and_an_example(name: str) -> None:
    for schema in schemas_of(ALL[name]):
        for each in options(schema):
            found = resolved(each)
            assert found.get("examples"), (name, each)
            validator = jsonschema_rs.Draft202012Validator(
                each | {"components": document()["components"]}, validate_formats=True
            )
            for example in found["examples"]:
                validator.validate(example)


@every_operation
def test_what_is_refused_is_a_problem(name: str) -> None:
    for status, answer in ALL[name]["responses"].items():
        if status.startswith(("4", "5")) and (name, status) != NO_REFUSAL:
            assert set(answer["content"]) == {PROBLEM}, (name, status)
            assert resolved(answer["content"][PROBLEM]["schema"])["title"] == "Problem"
            assert answer["content"][PROBLEM]["example"]["status"] == int(status)
            assert answer["content"][PROBLEM]["example"]["code"] in set(ErrorCode)


UNCHANGED = "304"  # to who has it already


@every_operation
def test_an_answer_has_a_body_or_says_that_it_has_none(name: str) -> None:
    (good,) = (status for status in ALL[name]["responses"] if status[0] in "23" and status != UNCHANGED)

    assert (good in NO_BODY) == ("content" not in ALL[name]["responses"][good])


@every_operation
def test_who_comes_in_without_a_token_is_told_so(name: str) -> None:
    operation, path = ALL[name], name.partition(" ")[2]

    assert ("security" in operation) == (path not in OPEN_TO_ALL)
    assert ("401" in operation["responses"]) == (path not in OPEN_TO_ALL)
    if "401" in operation["responses"]:
        assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
    if "429" in operation["responses"]:
        assert "Retry-After" in operation["responses"]["429"]["headers"]


@every_operation
def test_what_is_made_is_told_where(name: str) -> None:
    operation = ALL[name]
    told = [
        status for status, answer in operation["responses"].items() if "Location" in answer.get("headers", {})
    ]

    assert told == [each for each in (LOCATED.get(operation["operationId"]),) if each]


@every_operation
def test_what_stands_in_a_path_has_an_example(name: str) -> None:
    for parameter in ALL[name].get("parameters", ()):
        assert parameter["name"].lower() not in ("authorization", "cookie")
        if parameter["in"] != "path":
            continue
        schema = resolved(parameter["schema"])
        example = parameter.get("example", next(iter(schema.get("enum", ())), None))
        assert example is not None, parameter
        jsonschema_rs.Draft202012Validator(schema).validate(example)


def test_every_reference_leads_somewhere_and_no_part_is_left_over() -> None:
    text = json.dumps(document())
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))

    assert named == set(document()["components"]["schemas"])
    assert not [name for name in named if not name.isalnum()]
