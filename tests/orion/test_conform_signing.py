"""A device that signs and wants signatures: the example lamp, taught to.

It is taught with our own `schemas.signing`: what is tried here is the examination, not the lamp.
"""

from pathlib import Path

import pytest

from orion.conform import CHECKS
from schemas.signing import Signer
from tests.broker.running import RunningBroker
from tests.examples import lamps
from tests.examples.lamps import Lamp
from tests.orion import examined

SIGNING = """import paho.mqtt.client as mqtt
from schemas.signing import BadSignature, Signer, Verifier
SIGNER, THEIRS, publish = Signer.generate(), Verifier.of(["{key}"]), mqtt.Client.publish
def signing(client, topic, payload, qos=0, retain=False):
    properties = mqtt.Properties(mqtt.PacketTypes.PUBLISH)
    if {signs}: properties.UserProperty = list(SIGNER.sign(topic, payload.encode()))
    return publish(client, topic, payload, qos, retain, properties)
mqtt.Client.publish = signing
def is_theirs(message):
    try: THEIRS.check(message.topic, message.payload, getattr(message.properties, "UserProperty", []))
    except BadSignature: return False
    return True
"""
CONTROLLER = Signer.generate()


async def an_enrolled_lamp(
    broker: RunningBroker, folder: Path, *, signs: str = "True", believes: str = "is_theirs(message)"
) -> Lamp:
    place = await broker.add_device("lamp")
    taught = {
        "import paho.mqtt.client as mqtt\n": SIGNING.format(key=CONTROLLER.public, signs=signs),
        "if fits and not message.retain": f"if fits and {believes} and not message.retain",
    }
    source = lamps.with_faults(taught)
    return lamps.of_paho(broker.settings.port, "lamp", place.password or "", folder, source=source)


async def test_an_enrolled_device_that_keeps_the_contract_passes(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path)

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER)

    assert not examined.broken(found), lamp.said()
    assert {"signing.signs", "signing.unsigned", "signing.forged", "commands.once"} <= examined.passed(found)


@pytest.mark.parametrize(
    ("fault", "found_by"),
    [
        ({"believes": "True"}, {"signing.unsigned", "signing.forged"}),
        ({"signs": "'/reply/' not in topic"}, {"signing.signs"}),
    ],
)
async def test_one_that_does_not_is_told(
    broker: RunningBroker, tmp_path: Path, fault: dict[str, str], found_by: set[str]
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path, **fault)

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER)

    assert examined.broken(found).keys() == found_by


async def test_without_a_key_an_enrolled_device_is_only_listened_to(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path)

    found = await examined.examined(broker, "lamp", lamp)

    assert not examined.broken(found)
    asked = {
        check.name for check in CHECKS if check.name.startswith(("commands.", "cancels.", "robustness."))
    }
    assert not asked & examined.passed(found)
    assert "signed" in found["commands.answered"].verdict.seen
    assert {"birth.profile", "heartbeats.period", "signing.signs"} <= examined.passed(found)
