"""A JSON Schema as a table of fields, for people."""

import json
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from controller.api.docs import pages

Json = dict[str, Any]

ANYTHING = "JsonValue"  # the part that says nothing
_HEAD = Markup(
    '<div class="wide"><table><thead><tr><th>field</th><th>required</th><th>type</th></tr></thead>'
    "<tbody>{}</tbody></table></div>"
)
_LIMITS = {
    "minimum": "from {}",
    "maximum": "up to {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "unit": "in {}",
    "default": "{} if left out",
}


def table(schema: Json) -> Markup:
    """Its fields, each with what it may hold."""
    needed = schema.get("required", [])
    rows = [
        Markup("<tr><td><code>{}</code></td><td>{}</td><td>{}{}</td></tr>").format(
            name,
            "yes" if name in needed else "no",
            kind(field),
            Markup("<br>{}").format(pages.words(field["description"])) if "description" in field else "",
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return _HEAD.format(Markup("").join(rows)) if rows else Markup("<p>An object of any fields.</p>")


def kind(field: Json) -> Markup:
    """What a field may hold, in words; a part of its own is a link."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return (
            Markup("any JSON value")
            if name == ANYTHING
            else Markup('<a href="#schema-{0}">{0}</a>').format(name)
        )
    if "anyOf" in field:
        return Markup(" or ").join(kind(each) for each in field["anyOf"] if each.get("type") != "null")
    return Markup(", ").join([_words(field), *_limits(field)])


def _words(field: Json) -> Markup:
    if "const" in field or "enum" in field:
        values = field.get("enum", [field.get("const")])
        return Markup(" | ").join(Markup("<code>{}</code>").format(each) for each in values)
    if field.get("format") == "date-time":
        return Markup("time")
    if field.get("type") == "array":
        return Markup("list of: {}").format(kind(field.get("items", {})))
    inner = field.get("additionalProperties")
    if isinstance(inner, dict) and not inner.get("$ref", "").endswith(f"/{ANYTHING}"):
        return Markup("object of: {}").format(kind(inner))
    return Markup("{}").format(field.get("type", "any JSON value"))


def _limits(field: Json) -> Iterator[Markup]:
    for name, said in _LIMITS.items():
        if field.get(name) is not None:
            yield Markup("{}").format(said.format(field[name]))
    if "pattern" in field:
        yield Markup("<code>{}</code>").format(field["pattern"])


def shown(value: Any) -> Markup:
    """JSON to look at."""
    return Markup("<pre><code>{}</code></pre>").format(json.dumps(value, indent=2, ensure_ascii=False))
