"""A device that signs and wants signatures: the example lamp, taught to.

It is taught with our own `schemas.signing`: what is tried here is the examination, not the lamp.
"""

from pathlib import Path
from typing import Any

import pytest

from orion.conform import CHECKS, State
from schemas.signing import Signer, Verifier
from tests.broker.running import RunningBroker
from tests.examples import lamps
from tests.examples.lamps import Lamp
from tests.orion import examined

SIGNING = """import paho.mqtt.client as mqtt
from schemas.signing import BadSignature, Signer, Verifier
SIGNER, THEIRS, publish = Signer.restore("{secret}"), Verifier.of(["{key}"]), mqtt.Client.publish
def signing(client, topic, payload, qos=0, retain=False):
    properties = mqtt.Properties(mqtt.PacketTypes.PUBLISH)
    if {signs}: properties.UserProperty = list(SIGNER.sign(topic, {signed}))
    return publish(client, topic, payload, qos, retain, properties)
mqtt.Client.publish = signing
def is_theirs(message):
    try: THEIRS.check(message.topic, message.payload, getattr(message.properties, "UserProperty", []))
    except BadSignature: return False
    return True
"""
CONTROLLER, DEVICE, SOMEBODY = Signer.generate(), Signer.generate(), Signer.generate()
KNOWN = Verifier.of([DEVICE.public])


async def an_enrolled_lamp(
    broker: RunningBroker,
    folder: Path,
    *,
    signs: str = "True",
    signed: str = "payload.encode()",
    signer: Signer = DEVICE,
    believes: str = "is_theirs(message)",
) -> Lamp:
    place = await broker.add_device("lamp")
    taught = {
        "import paho.mqtt.client as mqtt\n": SIGNING.format(
            key=CONTROLLER.public, secret=signer.secret, signs=signs, signed=signed
        ),
        "if fits and not message.retain": f"if fits and {believes} and not message.retain",
    }
    source = lamps.with_faults(taught)
    return lamps.of_paho(broker.settings.port, "lamp", place.password or "", folder, source=source)


async def test_an_enrolled_device_that_keeps_the_contract_passes(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path)

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER, verifier=KNOWN)

    assert not examined.broken(found), lamp.said()
    assert {"signing.signs", "signing.unsigned", "signing.forged", "commands.once"} <= examined.passed(found)


@pytest.mark.parametrize(
    ("fault", "found_by"),
    [
        ({"believes": "True"}, {"signing.unsigned", "signing.forged"}),
        ({"signs": "'/reply/' not in topic"}, {"signing.signs"}),
        ({"signed": "b'something else'"}, {"signing.signs"}),
        ({"signer": SOMEBODY}, {"signing.signs"}),
    ],
)
async def test_one_that_does_not_is_told(
    broker: RunningBroker, tmp_path: Path, fault: dict[str, Any], found_by: set[str]
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path, **fault)

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER, verifier=KNOWN)

    assert examined.broken(found).keys() == found_by


async def test_without_a_key_an_enrolled_device_is_only_listened_to(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path)

    found = await examined.examined(broker, "lamp", lamp, verifier=KNOWN)

    assert not examined.broken(found)
    asked = {
        check.name for check in CHECKS if check.name.startswith(("commands.", "cancels.", "robustness."))
    }
    assert not asked & examined.passed(found)
    assert "signed" in found["commands.answered"].verdict.seen
    assert {"birth.profile", "heartbeats.period", "signing.signs"} <= examined.passed(found)


async def test_a_signature_that_nobody_here_can_verify_is_not_passed(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path, signed="b'something else'")

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER)

    verdict = found["signing.signs"].verdict
    assert verdict.state is State.NOT_TRIED
    assert "public key is not known" in verdict.seen


async def test_one_whose_key_is_known_and_that_does_not_sign_breaks_the_rule(
    broker: RunningBroker, tmp_path: Path
) -> None:
    lamp = await an_enrolled_lamp(broker, tmp_path, signs="False", believes="True")

    found = await examined.examined(broker, "lamp", lamp, signer=CONTROLLER, verifier=KNOWN)

    assert "not signed" in examined.broken(found)["signing.signs"]
