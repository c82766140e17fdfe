"""The headers of an answer are described, each once, where an answer can have them."""

import json
import re
from typing import Any

import pytest

from controller.api.edge.origins import SHOWN
from tests.controller.api.documented import document

Json = dict[str, Any]

BROUGHT = {
    "cursor": "Link",
    "Idempotency-Key": "Idempotency-Replayed",
    "Prefer": "Preference-Applied",
    "if-none-match": "ETag",
}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
}


def headers_of(operation: Json, status: str) -> Json:
    found: Json = operation["responses"].get(status, {}).get("headers", {})
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_tells_its_trace_and_whose_it_is(name: str) -> None:
    for status in OPERATIONS[name]["responses"]:
        assert {"Trace-Id", "Orion-Api"} <= set(headers_of(OPERATIONS[name], status)), status


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_request_brings_is_told_of_by_its_answer(name: str) -> None:
    operation = OPERATIONS[name]
    taken = {each["name"] for each in operation.get("parameters", ())}
    (good,) = (status for status in operation["responses"] if status[0] in "23" and status != "304")

    for brought, header in BROUGHT.items():
        assert brought not in taken or header in headers_of(operation, good), header
    if "Idempotency-Key" in taken:
        assert "Retry-After" in headers_of(operation, "409")


@pytest.mark.parametrize("name", OPERATIONS)
def test_who_is_to_come_back_is_told_when(name: str) -> None:
    for status in {"429", "503"} & set(OPERATIONS[name]["responses"]):
        assert "Retry-After" in headers_of(OPERATIONS[name], status)


def test_every_header_is_described_once_and_every_one_of_ours_is() -> None:
    parts = document()["components"]["headers"]
    named = set(re.findall(r'"#/components/headers/([^"]+)"', json.dumps(document())))

    assert named == set(parts)
    assert set(SHOWN) <= set(parts)
    assert all(each["description"] for each in parts.values())
