"""A controller that is killed in the middle of a turn says so when it is back, and does nothing twice."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from schemas import builtin
from tests.conformance.fake_device import FakeDevice
from tests.conformance.installation import Installation, Program
from tests.conformance.wire_peer import PREFIX, Json, Peer, stamp, until

ANSWERS = f"{PREFIX}/users/mia/response"
ASKS = f"{PREFIX}/users/mia/request"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Installation]:
    """A broker in a process of its own; the test starts and kills controllers."""
    made = Installation(tmp_path)
    made.start("broker")
    yield made
    made.stop()


def controller(site: Installation) -> Program:
    program = site.start("controller", log=f"controller-{len(site.programs)}")
    program.until_said("Ready")
    return program


def a_request(request_id: str, text: str) -> Json:
    return {"id": request_id, "text": text, "at": stamp()}


def test_a_turn_that_was_cut_off_is_answered_once_and_done_once(site: Installation) -> None:
    first = controller(site)
    with ExitStack() as stack:
        made = site.cli("users", "add", "mia", "--role", "operator")["mqtt"]
        mia = Peer(site.port, "mia", made["password"])
        mia.connect()
        stack.callback(mia.close)
        mia.subscribe(ANSWERS)
        lamp: FakeDevice = site.device("lamp", "--allow-path", "/data")
        lamp.birth([builtin.TOOLS["create_directory"].to_json()], allowed_paths=["/data"])
        stack.callback(lamp.close)
        lamp.fence()
        mia.publish(ASKS, a_request("r1", "make a folder Test on lamp"))
        command = lamp.expect_command().json()
        lamp.reply(command, "accepted")
        mia.expect(ANSWERS, request_id="r1", type="tool_call")

        first.kill()
        controller(site)
        ending = mia.expect(ANSWERS, within=20, request_id="r1", type="error").json()
        mia.publish(ASKS, a_request("r1", "make a folder Test on lamp"))
        mia.publish(ASKS, a_request("r2", "which devices are there?"))
        mia.expect(ANSWERS, request_id="r2", type="final")
        lamp.reply(command, "succeeded", result={"created": True})
        until(lambda: site.cli("commands", "show", command["id"])["status"] == "succeeded")

        said = {(seen.json()["seq"], seen.json()["type"]) for seen in mia.all(ANSWERS, request_id="r1")}
        assert said == {(0, "tool_call"), (1, "error")}
        assert ending["error"]["code"] == "interrupted"
        assert {seen.json()["id"] for seen in lamp.peer.all(f"{lamp.topic}/command")} == {command["id"]}
