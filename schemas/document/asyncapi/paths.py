"""The channels of the document and what the controller does on each, with the rights that the broker holds."""

import re
from typing import Any

from schemas.document import prose as page
from schemas.document.asyncapi import prose
from schemas.document.asyncapi.messages import BINDING
from schemas.document.channels import CHANNELS, Channel
from schemas.topics import Topics

Json = dict[str, Any]

_BRACES = re.compile(r"\{(\w+)\}")
_CALLED = {each.name: each for each in CHANNELS}


def channels(topics: Topics) -> Json:
    """Each channel by its name. `x-rights`: which roles the broker lets publish and read there."""
    return {each.name: _channel(each, topics) for each in CHANNELS}


def operations() -> Json:
    """What the controller sends and receives."""
    found: Json = {}
    for each in CHANNELS:
        ours, theirs = ("send", "receive") if each.is_sent else ("receive", "send")
        found[_named(ours, each)] = _operation(ours, each, each.says)
        if each.also:
            found[_named(theirs, each)] = _operation(theirs, each, each.also)
    return found


def _channel(each: Channel, topics: Topics) -> Json:
    address = each.address(topics)
    publishing, reading = rights(address, topics)
    found: Json = {
        "address": address,
        "title": f"{each.speaker} → {each.hearer}",
        "summary": each.says,
        "description": f"QoS {each.qos}. Retained: {each.kept}. The broker lets publish: {', '.join(publishing)}. "
        f"It lets read: {', '.join(reading)}.",
        "messages": {
            message.__name__: {"$ref": f"#/components/messages/{message.__name__}"}
            for message in each.messages
        },
        "x-rights": {"publish": publishing, "read": reading},
    }
    if names := _BRACES.findall(address):
        found["parameters"] = {
            name: {"description": prose.PARAMETERS[name][0], "examples": [prose.PARAMETERS[name][1]]}
            for name in names
        }
    return found


def _named(action: str, each: Channel) -> str:
    return action + each.name[0].upper() + each.name[1:]


def _operation(action: str, each: Channel, summary: str) -> Json:
    of_channel = f"#/channels/{each.name}"
    binding: Json = {"qos": each.qos, "retain": each.retained, "bindingVersion": BINDING}
    if each.expires:
        binding["messageExpiryInterval"] = {"type": "integer", "minimum": 1, "description": each.expires}
    found: Json = {
        "action": action,
        "channel": {"$ref": of_channel},
        "summary": summary,
        "messages": [{"$ref": f"{of_channel}/messages/{message.__name__}"} for message in each.messages],
        "bindings": {"mqtt": binding},
    }
    if each.answered_on and action == _first(each):
        found["reply"] = _reply(_CALLED[each.answered_on])
    return found


def _first(each: Channel) -> str:
    return "send" if each.is_sent else "receive"


def _reply(answer: Channel) -> Json:
    of_channel = f"#/channels/{answer.name}"
    found: Json = {
        "channel": {"$ref": of_channel},
        "messages": [{"$ref": f"{of_channel}/messages/{message.__name__}"} for message in answer.messages],
    }
    return found


def rights(address: str, topics: Topics) -> tuple[list[str], list[str]]:
    """The roles that the broker lets publish and read on such a topic, their own one where it has an owner."""
    publishing, reading = [], []
    for each in page.RIGHTS:
        filters = {
            word: [path.replace("{prefix}", topics.prefix) for path in paths]
            for word, paths in (("publish", each.publishes), ("read", each.reads), ("never", each.hidden))
        }
        if any(covers(path, address) for path in filters["publish"]):
            publishing.append(each.role)
        if any(covers(path, address) for path in filters["read"]) and not any(
            covers(path, address) for path in filters["never"]
        ):
            reading.append(each.role)
    return publishing, reading


def covers(path: str, address: str) -> bool:
    """Whether a filter matches a topic whose names stand in braces."""
    wanted, given = path.split("/"), address.split("/")
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position >= len(given) or level not in ("+", given[position]):
            return False
    return len(wanted) == len(given)
