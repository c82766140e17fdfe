"""The page itself: every topic, every message with its fields, and the rules between them.

What a field may hold is read from the JSON Schema of its model, never written twice.
"""

from collections.abc import Iterator
from typing import Any

from schemas import assistant, audit, commands, devices, errors, events, keys
from schemas.document import prose
from schemas.document.channels import CHANNELS
from schemas.document.stream import table_of_names
from schemas.joining import SECRET_BYTES, JoinCode, prove
from schemas.signing import from_text, to_text
from schemas.topics import Topics
from schemas.wire import WireModel

MESSAGES: tuple[type[WireModel], ...] = (
    devices.Presence,
    devices.Profile,
    devices.Heartbeat,
    events.Event,
    commands.Command,
    commands.Cancel,
    commands.Reply,
    commands.Ack,
    assistant.Request,
    assistant.Decision,
    assistant.Response,
    assistant.Approval,
    keys.Keys,
    keys.JoinRequest,
    keys.JoinResponse,
    keys.JoinRefused,
    audit.AuditLine,
)

Json = dict[str, Any]


def render() -> str:
    """The whole page."""
    return "\n\n".join(_sections()) + "\n"


def _sections() -> Iterator[str]:
    yield prose.INTRODUCTION
    yield prose.TOPICS_BEFORE
    yield _topics()
    yield prose.RIGHTS_BEFORE
    yield _rights()
    yield prose.CONNECTING
    yield prose.MESSAGES_BEFORE
    shown: set[str] = {"JsonValue"}
    for message in MESSAGES:
        yield from _message(message.model_json_schema(ref_template="{model}"), shown)
    yield prose.STREAM_BEFORE
    yield table_of_names()
    yield "## Error codes\n\n" + ", ".join(f"`{code.value}`" for code in errors.ErrorCode) + "."
    yield prose.RULES + _vector()


def _vector() -> str:
    """A join code with all that follows from it; a code that nobody gave out."""
    code = JoinCode("abcdefgh", bytes(range(SECRET_BYTES)), bytes(range(0xE0, 0x100)))
    topic = Topics().join_request(code.invite_id)
    payload = keys.JoinRequest(public_key=to_text(bytes(32)), hostname="lamp").encode()
    ((_, proof),) = prove(code.proof_key, topic, payload)
    found = {
        "join code": code.text,
        "invite id": code.invite_id,
        "secret, in hexadecimal": code.secret.hex(),
        "SHA-256 of the CA, in hexadecimal": code.ca.hex(),
        "user name and client id": code.username,
        "password": code.password,
        "key of the proof, in hexadecimal": from_text(code.proof_key, size=32).hex(),
        "topic": topic,
        "payload": payload.decode(),
        "proof": proof,
    }
    lines = [
        "| what | value |",
        "| --- | --- |",
        *(f"| {name} | `{value}` |" for name, value in found.items()),
    ]
    return "\n".join(lines)


def _rights() -> str:
    def cell(paths: tuple[str, ...]) -> str:
        return "<br>".join(f"`{path.replace('{prefix}', Topics().prefix)}`" for path in paths) or "nothing"

    lines = ["| role | publishes | reads | but never reads |", "| --- | --- | --- | --- |"]
    for each in prose.RIGHTS:
        never = cell(each.hidden) if each.hidden else ""
        lines.append(f"| {each.role} | {cell(each.publishes)} | {cell(each.reads)} | {never} |")
    return "\n".join(lines)


def _topics() -> str:
    topics = Topics()
    lines = ["| topic | from → to | retained | QoS | payload |", "| --- | --- | --- | --- | --- |"]
    for each in CHANNELS:
        said = " or ".join(f"[{kind.__name__}](#{kind.__name__.lower()})" for kind in each.messages)
        direction = f"{each.speaker} → {each.hearer}"
        lines.append(f"| `{each.address(topics)}` | {direction} | {each.kept} | {each.qos} | {said} |")
    return "\n".join(lines)


def _message(schema: Json, shown: set[str]) -> Iterator[str]:
    """One message, then the parts that it is the first to use."""
    parts: Json = schema.get("$defs", {})
    yield _section(schema, parts, level=3)
    shown.add(schema["title"])
    for name, part in parts.items():
        if name not in shown and "properties" in part:
            shown.add(name)
            yield _section(part, parts, level=4)


def _section(schema: Json, parts: Json, *, level: int) -> str:
    needed = schema.get("required", [])
    lines = [
        f"{'#' * level} {schema['title']}",
        "",
        " ".join(schema.get("description", "").split()),
        "",
        "| field | required | type |",
        "| --- | --- | --- |",
    ]
    for name, field in schema["properties"].items():
        lines.append(
            f"| `{name}` | {'yes' if name in needed else 'no'} | {_kind(field, parts)}{_default(field)} |"
        )
    return "\n".join(lines)


def _default(field: Json) -> str:
    default = field.get("default")
    if default is None:
        return ""
    return f"; default `{str(default).lower() if isinstance(default, bool) else default}`"


def _kind(field: Json, parts: Json) -> str:
    if "$ref" in field:
        return _named(field["$ref"], parts)
    if "anyOf" in field:
        return " or ".join(_kind(each, parts) for each in field["anyOf"] if each.get("type") != "null")
    if "const" in field or "enum" in field:
        return _one_of(field.get("enum", [field.get("const")]))
    words = _WORDS.get(field.get("type", ""), "any JSON value")
    if field.get("format") == "date-time":
        words = "time"
    elif field.get("type") == "array":
        words = f"list of: {_kind(field['items'], parts)}"
    elif isinstance(inner := field.get("additionalProperties"), dict) and inner != {"$ref": "JsonValue"}:
        words = f"object of: {_kind(inner, parts)}"
    return ", ".join([words, *_limits(field)])


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


def _named(name: str, parts: Json) -> str:
    if name == "JsonValue":
        return "any JSON value"
    part = parts[name]
    return _one_of(part["enum"]) if "enum" in part else f"[{name}](#{name.lower()})"


def _one_of(values: list[object]) -> str:
    return " \\| ".join(f"`{value}`" for value in values)


_LIMITS = {
    "minimum": "from {}",
    "maximum": "up to {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "maxItems": "at most {} of them",
    "unit": "in {}",
}


def _limits(field: Json) -> Iterator[str]:
    for name, words in _LIMITS.items():
        if name in field:
            yield words.format(field[name])
    if "pattern" in field:
        yield "`" + field["pattern"].replace("|", "\\|") + "`"
