"""The messages of the document: their payloads by the models, their headers, and one example or more."""

from typing import Any

from pydantic.json_schema import models_json_schema

from schemas import traces
from schemas.commands import Command, Reply
from schemas.document.asyncapi import prose
from schemas.document.channels import CHANNELS, Seal
from schemas.document.examples import examples
from schemas.document.stream import names_of
from schemas.joining import PROOF_PROPERTY
from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY
from schemas.topics import Topics
from schemas.wire import WireModel

Json = dict[str, Any]

JSON = "application/json"
BINDING = "0.2.0"  # of AsyncAPI's words for MQTT
SCHEMAS = "#/components/schemas/"
TRACE = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

_SEALS = {message: each.seal for each in CHANNELS for message in each.messages}
MESSAGES = tuple(_SEALS)  # of all channels, each once


def schemas() -> Json:
    """What each message and each of its parts may hold."""
    wanted = [(message, "validation") for message in MESSAGES]
    _, found = models_json_schema(wanted, ref_template=SCHEMAS + "{model}")  # type: ignore[arg-type]
    parts: Json = found["$defs"]
    return {name: _tidy(part) for name, part in sorted(parts.items())}


def messages(topics: Topics) -> Json:
    """Each message by its name."""
    shown = examples(topics)
    return {each.__name__: _message(each, shown[each]) for each in MESSAGES}


def _message(kind: type[WireModel], shown: list[WireModel]) -> Json:
    name = kind.__name__
    found: Json = {
        "name": name,
        "title": name,
        "summary": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
        "contentType": JSON,
        "payload": {"$ref": SCHEMAS + name},
        "examples": [
            {"name": f"{name}{number}", "payload": each.to_json()} for number, each in enumerate(shown, 1)
        ],
    }
    seal = _SEALS[kind]
    if headers := _headers(kind, seal):
        found["headers"] = headers
    if seal is not Seal.NONE:
        found["description"] = prose.SEALS[seal.value]
    if kind is Command:
        found["correlationId"] = {"location": "$message.payload#/id"}
        found["bindings"] = {"mqtt": _for_command()}
    if kind is Reply:
        found["correlationId"] = {"location": "$message.payload#/command_id"}
    if tags := _tags(kind):
        found["tags"] = tags
    return found


def _headers(kind: type[WireModel], seal: Seal) -> Json:
    """The user properties; those that always are there are required."""
    properties: Json = {}
    required: list[str] = []
    if seal in (Seal.SIGNATURE, Seal.DEVICE):
        properties[SIGNATURE_PROPERTY] = {"type": "string", "description": prose.SIGNATURE}
        properties[KEY_ID_PROPERTY] = {"type": "string", "description": prose.KEY_ID}
    if seal is Seal.SIGNATURE:
        required += [SIGNATURE_PROPERTY, KEY_ID_PROPERTY]
    if seal is Seal.PROOF:
        properties[PROOF_PROPERTY] = {"type": "string", "description": prose.PROOF}
        required.append(PROOF_PROPERTY)
    if kind is Command:
        properties[traces.HEADER] = {"type": "string", "pattern": TRACE, "description": prose.TRACEPARENT}
        required.append(traces.HEADER)
    if not properties:
        return {}
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _for_command() -> Json:
    return {
        "contentType": JSON,
        "correlationData": {"type": "string", "description": "The command's `id`."},
        "responseTopic": {"type": "string", "description": "The command's `reply_to`."},
        "bindingVersion": BINDING,
    }


def _tags(kind: type[WireModel]) -> list[Json]:
    found = []
    for name, each in names_of(kind):
        which = f", a {each.words}" if each.which else ""
        found.append(
            {"name": name.name, "description": f"Its name on the live stream{which}. {name.meaning}"}
        )
    return found


def _tidy(schema: Json) -> Json:
    """A schema whose description is one line, without the titles that only repeat a field's name."""
    found: Json = {}
    for key, value in schema.items():
        if key == "description":
            found[key] = " ".join(value.split())
        elif key == "properties":
            found[key] = {name: _tidy(each) for name, each in value.items()}
        elif isinstance(value, dict):
            found[key] = _tidy(value)
        elif isinstance(value, list):
            found[key] = [_tidy(each) if isinstance(each, dict) else each for each in value]
        elif key != "title":
            found[key] = value
    return found
