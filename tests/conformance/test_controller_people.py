"""Our controller against strangers' devices: approvals, secrets and the audit."""

import hashlib
import json

import rfc8785

from tests.conformance.conftest import Orion
from tests.conformance.controller_side import (
    AT,
    AUDIT,
    a_schema,
    approval_topic,
    asked,
    seconds,
)
from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import fresh, until


def test_an_approval_is_retained_until_it_is_decided(orion: Orion) -> None:
    device = orion.born(a_tool(risk="high"))
    yes, no = asked(orion, device), asked(orion, device, "light", "on=false")
    seen = orion.spy.expect(approval_topic(yes), id=yes["approval_id"])
    approval = seen.json()

    assert seen.retain
    assert approval["commands"] == [{"device_id": device.id, "tool": "light", "arguments": {"on": True}}]
    assert approval["hash"] == hashlib.sha256(rfc8785.dumps(approval["commands"])).hexdigest()
    assert approval["risk"] == "high"
    assert approval["summary"]
    assert isinstance(approval["reasons"], list)
    assert approval["requested_by"]
    assert AT.match(approval["created_at"])
    assert seconds(approval["expires_at"]) > seconds(approval["created_at"])
    device.fence()
    assert not device.peer.all(f"{device.topic}/command")
    deciding = orion.site.begin("approvals", "approve", yes["approval_id"])
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={})
    deciding.answer()
    orion.site.cli("approvals", "deny", no["approval_id"])
    until(lambda: all(orion.spy.all(approval_topic(one))[-1].payload == b"" for one in (yes, no)))
    device.fence()
    assert command["approval_id"] == yes["approval_id"]
    assert command["arguments"] == {"on": True}
    assert len(device.peer.all(f"{device.topic}/command")) == 1
    assert orion.settled(no["command_id"])["error"]["code"] == "approval_denied"


def test_a_secret_is_seen_by_its_device_and_by_nobody_else(orion: Orion) -> None:
    secret = f"hunter-{fresh()}"
    parameters = a_schema(name={"type": "string"}, pin={"type": "string", "writeOnly": True})
    device = orion.born(a_tool("unlock", parameters=parameters, risk="high"))
    shown = [asked(orion, device, "unlock", "name=door", f"pin={secret}")]
    asking = shown[0]
    approval = orion.spy.expect(approval_topic(asking), id=asking["approval_id"])
    shown += [orion.site.cli("approvals", "show", asking["approval_id"]), orion.site.cli("approvals", "list")]
    deciding = orion.site.begin("approvals", "approve", asking["approval_id"])
    command = device.expect_command().json()
    device.reply(command, "succeeded", result={})
    shown += [deciding.answer(), orion.settled(asking["command_id"]), orion.site.cli("commands", "list")]
    shown += [orion.site.cli("audit", "list"), approval.json()]

    assert command["arguments"] == {"name": "door", "pin": secret}
    assert asking["arguments"] == {"name": "door", "pin": "***"}
    assert approval.json()["commands"][0]["arguments"] == {"name": "door", "pin": "***"}
    for said in shown:
        assert secret not in json.dumps(said)
    for program in orion.site.programs:
        assert secret not in program.said()
    places = {seen.topic for seen in orion.spy.seen if secret.encode() in seen.payload}
    assert places == {f"{device.topic}/command"}


def test_an_audit_line_says_what_was_decided_without_arguments(orion: Orion) -> None:
    device = orion.born(a_tool(parameters=a_schema(word={"type": "string"})))
    word = fresh()
    command = asked(orion, device, "light", f"word={word}")
    device.reply(device.expect_command().json(), "succeeded", result={"word": word})
    device.fence()
    orion.spy.expect(AUDIT, command_id=command["command_id"], action="command.succeeded")
    lines = orion.spy.all(AUDIT, command_id=command["command_id"])

    assert [line.json()["action"] for line in lines] == ["decision.allow", "command.succeeded"]
    for line in lines:
        assert (line.qos, line.retain) == (0, False)
        assert AT.match(line.json()["at"])
        assert line.json()["device_id"] == device.id
        assert word.encode() not in line.payload
