"""One sample of every message: what was written once is read for ever, and nothing less is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.document.page import MESSAGES, render
from schemas.wire import MAX_PAYLOAD, MalformedMessage, WireModel

SAMPLES = Path(__file__).parent.parent / "golden" / "v1"
PAGE = Path(__file__).parent.parent.parent / "docs" / "wire.md"
KINDS = {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in MESSAGES}


def sample(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return read


def decode(name: str, message: object) -> WireModel:
    return KINDS[name].decode(json.dumps(message).encode())


every_message = pytest.mark.parametrize("name", sorted(KINDS))


def test_every_message_has_a_sample() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(KINDS)


@every_message
def test_a_sample_says_all_that_its_message_can_say(name: str) -> None:
    fields = {field.alias or key for key, field in KINDS[name].model_fields.items()}

    assert set(sample(name)) == fields


@every_message
def test_a_sample_is_read_and_written_again_as_it_was(name: str) -> None:
    message = decode(name, sample(name))

    assert json.loads(message.encode()) == sample(name) == message.to_json()
    assert KINDS[name].decode(message.encode()) == message
    assert KINDS[name].restore(message.encode().decode()) == message


@every_message
def test_fields_from_the_future_are_ignored(name: str) -> None:
    grown = sample(name) | {"colour": "blue", "more": {"deep": [1, None]}}

    assert decode(name, grown) == decode(name, sample(name))


def required(name: str) -> Iterator[str]:
    for key, field in KINDS[name].model_fields.items():
        if field.is_required():
            yield field.alias or key


REQUIRED = [(name, field) for name in sorted(KINDS) for field in required(name)]
EVERY_FIELD = [(name, field) for name in sorted(KINDS) for field in sample(name)]


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_a_message_without_a_required_field_is_malformed(name: str, field: str) -> None:
    broken = {key: value for key, value in sample(name).items() if key != field}

    with pytest.raises(MalformedMessage, match=field):
        decode(name, broken)
    with pytest.raises(MalformedMessage, match=field):
        decode(name, sample(name) | {field: None})


@every_message
def test_a_message_of_required_fields_alone_is_whole(name: str) -> None:
    bare = {field: sample(name)[field] for field in required(name)}

    decode(name, bare)


def of_another_kind(right: object) -> list[object]:
    """Values of every JSON type but this one's."""
    kinds: dict[type, object] = {str: "text\x00", bool: True, float: 1.5, list: [17], dict: {"other": 17}}
    number = isinstance(right, int | float) and not isinstance(right, bool)
    own = float if number else type(right)
    return [value for kind, value in kinds.items() if kind is not own]


@pytest.mark.parametrize(("name", "field"), EVERY_FIELD)
def test_a_field_of_another_type_makes_the_message_malformed(name: str, field: str) -> None:
    for wrong in of_another_kind(sample(name)[field]):
        with pytest.raises(MalformedMessage):
            decode(name, sample(name) | {field: wrong})


@every_message
@pytest.mark.parametrize(
    "payload", [b"", b"\x00", b"{", b"[]", b"null", b"1", b'"x"', b"\xff", b"{}", b"NaN"]
)
def test_what_is_no_object_of_fields_is_malformed(name: str, payload: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        KINDS[name].decode(payload)

    assert caught.value.kind == KINDS[name].__name__


@every_message
def test_a_message_of_the_greatest_size_is_read_and_a_larger_one_is_not(name: str) -> None:
    start = json.dumps(sample(name))[:-1] + ', "filler": "'
    fits = start + "x" * (MAX_PAYLOAD - len(start.encode()) - 2) + '"}'

    assert KINDS[name].decode(fits.encode()) == decode(name, sample(name))
    with pytest.raises(MalformedMessage, match="at most"):
        KINDS[name].decode(fits.encode() + b" ")


@every_message
@given(st.binary(max_size=300))
def test_random_bytes_are_malformed_and_nothing_worse(name: str, payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        KINDS[name].decode(payload)


def test_the_page_of_the_contract_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "python -m schemas.document > docs/wire.md"


def test_the_page_names_every_field_of_every_message() -> None:
    page = render()
    for kind in MESSAGES:
        section = page.split(f"### {kind.__name__}\n", 1)[1].split("\n###", 1)[0]
        for key, field in kind.model_fields.items():
            assert f"| `{field.alias or key}` | {'yes' if field.is_required() else 'no'} |" in section
