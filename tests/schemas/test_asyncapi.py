"""The AsyncAPI document says what the topics, the models and the broker's rules say."""

import hashlib
import json
import re
from typing import Any

import jsonschema_rs
import pytest
import rfc8785

from broker import rights
from broker.rights import Role
from schemas.document.asyncapi import document
from schemas.document.asyncapi.paths import covers
from schemas.document.channels import CHANNELS, Channel
from schemas.document.examples import examples
from schemas.document.page import MESSAGES
from schemas.document.stream import NAMES
from schemas.topics import Kind, Topics
from tests.broker.test_rights_page import NAMES as PEOPLE
from tests.broker.test_rights_page import OURS

TOPICS = Topics()
DOCUMENT = document()
VALUES = {
    "device_id": "laptop",
    "username": "ada",
    "instance": "main",
    "approval_id": "a1",
    "invite_id": "abcdefgh",
}
KNOWN = {
    "device_register", "device_heartbeat", "tool_execute", "tool_result", "event", "user_query",
    "assistant_response", "llm_response_chunk", "command", "approval",
}  # fmt: skip

every_channel = pytest.mark.parametrize("channel", CHANNELS, ids=lambda each: each.name)
every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda each: each.__name__)


def topic(channel: Channel, topics: Topics = TOPICS, **more: str) -> str:
    return channel.address(topics).format(**(VALUES | more))


def schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}


def test_every_kind_of_topic_is_a_channel_of_its_own() -> None:
    assert sorted(each.kind for each in CHANNELS) == sorted(Kind)


@every_channel
def test_the_address_of_a_channel_is_read_as_its_kind(channel: Channel) -> None:
    for topics in (TOPICS, Topics("home/orion")):
        address = topics.parse(topic(channel, topics))
        assert address is not None
        assert address.kind is channel.kind


@every_channel
def test_all_that_differs_in_an_address_is_explained(channel: Channel) -> None:
    written = DOCUMENT["channels"][channel.name]

    assert set(written.get("parameters", {})) == set(re.findall(r"\{(\w+)\}", written["address"]))


@every_message
def test_every_message_travels_on_some_channel_and_is_shown(message: type) -> None:
    assert message.__name__ in DOCUMENT["components"]["messages"]
    assert any(message in each.messages for each in CHANNELS)


@every_message
def test_what_is_shown_decodes_and_fits_the_schema(message: Any) -> None:
    shown = DOCUMENT["components"]["messages"][message.__name__]["examples"]

    assert shown
    for each in shown:
        jsonschema_rs.validator_for(schema(message.__name__)).validate(each["payload"])
        assert message.decode(json.dumps(each["payload"]).encode()).to_json() == each["payload"]


def test_what_is_shown_speaks_of_the_installation_s_own_topics() -> None:
    (command,) = document("home/orion")["components"]["messages"]["Command"]["examples"]

    instance = Topics("home/orion").reply_instance(command["payload"]["reply_to"], "workshop-pc")
    assert instance == "main"


def test_the_hash_that_is_shown_is_the_one_of_its_commands() -> None:
    (approval,) = (
        each.to_json()
        for found in examples(TOPICS).values()
        for each in found
        if type(each).__name__ == "Approval"
    )

    assert approval["hash"] == hashlib.sha256(rfc8785.dumps(approval["commands"])).hexdigest()


@every_channel
def test_who_publishes_and_reads_is_what_the_broker_lets(channel: Channel) -> None:
    published, read = set(), set()
    for role in set(Role) - OURS:
        name = PEOPLE.get(role, "ada" if "{username}" in channel.address(TOPICS) else "laptop")
        may = rights.of(role, name, TOPICS)
        wanted = topic(channel)
        if any(covers(each, wanted) for each in may.publish):
            published.add(role.value)
        if any(covers(each, wanted) for each in may.read) and not any(
            covers(each, wanted) for each in may.hidden
        ):
            read.add(role.value)

    told = DOCUMENT["channels"][channel.name]["x-rights"]
    assert (set(told["publish"]), set(told["read"])) == (published, read)


@pytest.mark.parametrize(
    ("path", "address", "fits"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+", "a/b/c", False),
        ("a/b/c", "a/b", False),
        ("a/#", "a/b/c", True),
        ("a/b", "a/c", False),
    ],
)
def test_a_filter_covers_what_a_broker_would_match(path: str, address: str, *, fits: bool) -> None:
    assert covers(path, address) is fits


def test_the_names_that_users_know_are_all_there() -> None:
    assert {each.name for each in NAMES} == KNOWN
    for each in NAMES:
        for source in each.sources:
            tags = DOCUMENT["components"]["messages"][source.message.__name__]["tags"]
            assert each.name in {tag["name"] for tag in tags}
            assert f"`{each.name}`" in DOCUMENT["info"]["description"]
