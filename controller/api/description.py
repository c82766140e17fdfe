"""The API's own description (OpenAPI 3.1): what FastAPI reads from the routes, completed.

What holds for all routes is said here once: how one comes in, what a refusal looks like,
what a kind of routes is for. What holds for one stands beside it.
"""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from controller.api import deps, routing
from controller.api.lines import Lines
from controller.api.shapes import problems
from controller.api.shapes.shown import EXAMPLE

Json = dict[str, Any]

TITLE = "Orion"
VERSION = "1"
ABOUT = """Say what should happen on your computers and workshop machines, and have it happen safely.

An error is an `application/problem+json` with a `code` for programs and a sentence for people. A list ends with `next`:
give it as `cursor` to read on, or follow the `Link` with `rel="next"`. `Prefer: wait=10` waits up to so many seconds for a
command to end; `Idempotency-Key` orders once, however often the request comes within a day. A device is changed by who says
in `If-Match` which version they saw. Times are RFC 3339, in UTC.
Every answer names its trace in `Trace-Id`: the one that `traceparent` (W3C) of the request belongs to, or one of its own. What travels over MQTT is described by [AsyncAPI](/docs/async)."""
TAGS = {
    "auth": "Coming in and going.",
    "assistant": "Say something in your own words.",
    "devices": "Devices: their places, tools, limits and links, and how they get in.",
    "tools": "What devices can do.",
    "signing-keys": "What the controller signs with.",
    "commands": "Orders to devices: submit, wait, look, cancel, undo.",
    "approvals": "What waits for a person's word.",
    "memory": "What is remembered.",
    "sessions": "Conversations with the assistant.",
    "audit": "Who did what, and the proof that it is whole.",
    "events": "What devices noticed.",
    "stream": "What happens, as it happens; the same address upgraded is a WebSocket.",
    "search": "Words in what is on record.",
    "stats": "Figures of what was done.",
    "system": "The controller itself.",
    "probes": "What an orchestrator asks, without a token.",
    "metrics": "What Prometheus asks.",
    "users": "People, and what they may.",
    "keys": "Keys of programs.",
    "schedules": "What is ordered again and again, at times of its own.",
}
EXAMPLES = {  # of what stands in a path
    "device_id": "workshop-pc",
    "other_id": "router",
    "command_id": "0199f6a2-7c00-7000-8000-000000000001",
    "approval_id": "0199f6a2-7c00-7000-8000-000000000002",
    "session_id": "0199f6a2-7c00-7000-8000-000000000003",
    "event_id": "0199f6a2-7c00-7000-8000-000000000004",
    "schedule_id": "0199f6a2-7c00-7000-8000-000000000008",
    "key_id": "0199f6a2-7c00-7000-8000-000000000006",
    "username": "ada",
    "key": "backup day",
    "name": "workshop",
}
PARTS = "#/components/schemas/"
BEARER, PASSWORD = "bearer", "password"
SCHEMES = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token, an API key, or the token of the controller's own computer.",
    },
    PASSWORD: {
        "type": "oauth2",
        "description": "Sign in with a name and a password.",
        "flows": {
            "password": {
                "tokenUrl": f"{routing.PREFIX}/auth/token",
                "refreshUrl": f"{routing.PREFIX}/auth/token",
                "scopes": {},
            }
        },
    },
}
BROUGHT = {  # what is asked with, as it may be named: the header that the answer has then
    "cursor": "Link",
    "idempotency-key": "Idempotency-Replayed",
    "prefer": "Preference-Applied",
}
_RAISES = re.compile(r"\n\s*Raises:.*", re.DOTALL)


def install(app: FastAPI) -> None:
    """Have the application describe itself so."""

    def described() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    vars(app)["openapi"] = described


def describe(app: FastAPI) -> Json:
    """The whole document."""
    found: Json = get_openapi(
        title=TITLE,
        version=VERSION,
        description=ABOUT,
        license_info={"name": "Apache-2.0"},
        routes=app.routes,
    )
    for route in _routes(app):
        for method in route.methods or ():
            _complete(found["paths"][route.path_format][method.lower()], route)
    used = {tag for route in _routes(app) for tag in route.tags}
    found["tags"] = [{"name": name, "description": says} for name, says in TAGS.items() if name in used]
    schemas: Json = found["components"]["schemas"]
    problem = problems.Problem.model_json_schema(mode="serialization", ref_template=PARTS + "{model}")
    schemas |= problem.pop("$defs")
    schemas[problems.NAME] = problem
    for part in schemas.values():
        if EXAMPLE in part:
            part["examples"] = [json.loads(part.pop(EXAMPLE))]
    found["components"]["securitySchemes"] = SCHEMES
    found["components"]["headers"] = problems.HEADERS
    return _named_shortly(found)


def _named_shortly(found: Json) -> Json:
    """The same; where two parts have one name, the file that a part is from is told, and not all of its path."""
    text = json.dumps(found)
    for name in found["components"]["schemas"]:
        if "__" in name:
            text = text.replace(f'"{name}"', f'"{_short(name)}"').replace(f'/{name}"', f'/{_short(name)}"')
    shortened: Json = json.loads(text)
    return shortened


def _short(name: str) -> str:
    *_, file, kind = name.split("__")
    return f"{file.title()}{kind}"


def _routes(app: FastAPI) -> Iterator[APIRoute]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            yield route


def _complete(operation: Json, route: APIRoute) -> None:
    summary, description = _words(route)
    operation["summary"] = summary
    operation.pop("description", None)
    if description:
        operation["description"] = description
    is_open = not _takes_a_token(route.dependant)
    if not is_open:
        operation["security"] = [{name: []} for name in SCHEMES]
    odd = {"401", "403"} if is_open else set()
    if route.body_field is None:
        odd.add("415")
    own = (route.openapi_extra or {}).get("responses", {})  # which a route says itself
    for status in odd.difference(own):
        operation["responses"].pop(status, None)
    _tell_headers(operation)
    for answer in operation["responses"].values():
        # FastAPI takes an answer that is a stream for a text
        if "$ref" in (schema := answer.get("content", {}).get(Lines.media_type, {}).get("schema", {})):
            schema.pop("type", None)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and parameter["name"] in EXAMPLES:
            parameter.setdefault("example", EXAMPLES[parameter["name"]])


def _tell_headers(operation: Json) -> None:
    """Describe the headers that answers have because of what a route takes, and those that all of them have."""
    taken = {each["name"].lower() for each in operation.get("parameters", ())}
    for status, answer in operation["responses"].items():
        found = answer.setdefault("headers", {})
        found |= problems.OF_ALL
        if status.startswith("2"):
            for name, header in BROUGHT.items():
                if name in taken:
                    found |= problems.told(header)
        elif status == "409" and "idempotency-key" in taken:  # the same request is still at work
            found |= problems.told("Retry-After", problems.PERHAPS)


def _takes_a_token(dependant: Dependant) -> bool:
    return dependant.call is deps.actor or any(map(_takes_a_token, dependant.dependencies))


def _words(route: APIRoute) -> tuple[str, str]:
    """A route's sentence, and what else there is to say for who calls it."""
    whole = _RAISES.sub("", inspect.getdoc(route.endpoint) or "").strip()
    first, _, rest = whole.partition("\n\n")
    return " ".join(first.split()), rest
