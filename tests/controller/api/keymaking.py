"""A key that somebody makes for a program of theirs."""

from typing import Any

from tests.controller.api.conftest import Api
from tests.controller.api.fleet import token_of
from tests.controller.api.people import as_somebody

WANTED = {"name": "grafana", "scopes": ["devices:read"]}


async def made(api: Api, **wanted: Any) -> dict[str, Any]:
    """A key that anna makes for a program of hers; the answer."""
    async with as_somebody(api, await token_of(api, "anna")) as anna:
        answer = await anna.post("keys", json=WANTED | wanted)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
