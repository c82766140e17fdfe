"""What travels is what the AsyncAPI document says: topics, payloads, QoS, retained or not, properties."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from schemas.document.asyncapi import document
from schemas.document.channels import CHANNELS
from schemas.topics import Kind
from tests.controller.mqtt.peer import Heard, Peer, peer
from tests.flows.installation import Installation, running_node
from tests.flows.people import person

DOCUMENT = document()
NAMES = {each.kind: each.name for each in CHANNELS}
# what one request of a person sets in motion, and what stands at the broker before
EXPECTED = set(Kind) - {Kind.EVENT, Kind.CANCEL, Kind.DECISION, Kind.JOIN_REQUEST, Kind.JOIN_RESPONSE}


@pytest.fixture
async def watcher(orion: Installation) -> AsyncIterator[Peer]:
    """Somebody who reads everything as it was published."""
    endpoint = await orion.broker.add_debug_user()
    async with peer(endpoint, orion.broker.topics, []) as found:
        everything = orion.broker.topics.everything()
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        await found.client.subscribe(everything, options=options)
        yield found


def bindings(name: str) -> list[dict[str, Any]]:
    """What the document says of how a channel's messages travel, for each operation on it."""
    return [
        each["bindings"]["mqtt"]
        for each in DOCUMENT["operations"].values()
        if each["channel"]["$ref"] == f"#/channels/{name}"
    ]


def fits(schema: dict[str, Any], value: object) -> bool:
    return jsonschema_rs.is_valid({**schema, "components": DOCUMENT["components"]}, value)


def check(kind: Kind, heard: Heard) -> None:
    """Hold one message against the document."""
    name = NAMES[kind]
    for binding in bindings(name):
        assert (heard.qos, heard.retain) == (binding["qos"], binding["retain"]), heard
        assert ("MessageExpiryInterval" in heard.properties) == ("messageExpiryInterval" in binding), heard
    if not heard.payload:  # what was retained there is over
        assert heard.retain
        return
    headers = dict(heard.properties.get("UserProperty", ()))
    messages = [DOCUMENT["components"]["messages"][each] for each in DOCUMENT["channels"][name]["messages"]]
    fitting = [each for each in messages if fits(each["payload"], heard.json)]
    assert len(fitting) == 1, heard
    told = fitting[0].get("headers", {"additionalProperties": False})
    assert fits(told, headers), (heard, told)
    assert set(headers) <= set(told.get("properties", {})), heard
    mqtt = fitting[0].get("bindings", {}).get("mqtt", {})
    assert ("ResponseTopic" in heard.properties) == ("responseTopic" in mqtt)
    assert ("CorrelationData" in heard.properties) == ("correlationData" in mqtt)


async def test_what_travels_is_what_the_document_says(
    orion: Installation, watcher: Peer, tmp_path: Path
) -> None:
    async with running_node(orion, tmp_path / "laptop", name="Laptop"), person(orion) as mia:
        await mia.told("make a folder Test on my laptop")
        await orion.ask("delete the folder Test on my laptop")
        (card,) = (await orion.http.get("approvals")).json()["items"]
        topic = orion.broker.topics.approval(card["approval_id"])
        heard = [await watcher.heard(topic)]
        await orion.http.post(f"approvals/{card['approval_id']}/decision", json={"decision": "deny"})
        heard.append(await watcher.heard(topic))
        heard.append(await watcher.heard("/heartbeat"))

    watcher.waiting("")
    seen = set()
    for message in (*watcher.passed_over, *heard):
        address = orion.broker.topics.parse(message.topic)
        assert address is not None, f"{message.topic} is in no document"
        check(address.kind, message)
        seen.add(address.kind)
    assert seen >= EXPECTED
