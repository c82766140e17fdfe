"""Who takes part: a node that joins by a code, a third party's lock, an admin; and how they leave."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.fake_device import FakeDevice
from tests.conformance.installation import START_WITHIN, Program
from tests.conformance.wire_peer import Peer, stamp
from tests.security.story.telling import Story, a_secret, until_status

LOCK = {
    "name": "unlock",
    "description": "Opens the door.",
    "risk": "low",
    "parameters": {
        "type": "object",
        "properties": {"pin": {"type": "string", "minLength": 8, "maxLength": 60, "writeOnly": True}},
        "required": ["pin"],
    },
}


def people_and_devices(story: Story) -> None:
    site = story.site
    invited = story.run(
        "devices", "invite", "laptop", "--adopt", "--profile", "manage", "--json", says=("code",)
    )
    where = f"127.0.0.1:{site.tls_port}"
    story.run("node", "join", where, "--no-run", "--json", stdin=invited["code"] + "\n")
    own = {name: site.environment[name] for name in ("OLLAMA_API_KEY", "OLLAMA_HOST")}
    environment = {name: value for name, value in site.environment.items() if name not in own}
    node = Program(["node"], environment, site.directory / "node.log")
    site.programs.append(node)
    node.until_said("ready")
    until_status(story, "online", "devices", "show", "laptop")
    story.run("run", "laptop", "create_directory", f"path={site.directory}/Test", "--json")
    story.run("run", "laptop", "create_directory", "path=/etc/orion", "--json")
    asked = story.run("run", "laptop", "run_command", "command=sleep 2", "--no-wait", "--json")
    if asked["approval_id"]:
        story.run("approvals", "approve", asked["approval_id"], "--json")
    until_status(story, "succeeded", "commands", "show", asked["command_id"])
    story.run("ask", "what is in the folder Test on laptop?", "--json")

    lock = story.run("devices", "add", "lock", "--adopt", "--json", says=("password",))
    user = story.run("users", "add", "mia", "--role", "admin", "--json", says=("password",))
    with _lock(story, lock["mqtt"]["password"]), Peer(site.port, "mia", user["mqtt"]["password"]) as mia:
        mia.subscribe("orion/v1/#", "orion/v1/users/mia/response")
        mia.publish(
            "orion/v1/users/mia/request", {"id": "r1", "text": "which devices are online?", "at": stamp()}
        )
        mia.expect("orion/v1/users/mia/response", within=START_WITHIN, type="final")
        pin = a_secret("pin of the lock")
        story.told.append(pin)
        done = story.run("run", "lock", "unlock", "pin=-", "--json", stdin=pin.text + "\n")
        assert done["status"] == "succeeded", done
        story.run("commands", "show", done["command_id"])
        story.run("commands", "show", done["command_id"], "--json")
    for seen in mia.seen:
        if "/devices/lock/command" not in seen.topic:
            story.gathered.add("what an admin hears", seen.topic.encode() + b" " + seen.payload)
    story.run("users", "rotate", "mia", "--json", says=("password",))


@contextmanager
def _lock(story: Story, password: str) -> Iterator[None]:
    """A third party's device that takes its secret and is silent about it."""
    device = FakeDevice(story.site.port, "lock", password)
    device.birth([LOCK])
    device.fence()
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            for seen in device.peer.all("orion/v1/devices/lock/command"):
                command = seen.json()
                if command["id"] not in answered:
                    answered.add(command["id"])
                    device.reply(command, "succeeded", result={})
            stop.wait(0.02)

    answered: set[str] = set()
    answering = threading.Thread(target=answer, name="lock")
    answering.start()
    try:
        yield
    finally:
        stop.set()
        answering.join()
        device.close()


def goodbyes(story: Story) -> None:
    until_status(story, "online", "devices", "show", "laptop")
    story.run("devices", "remove", "lock", "--yes", "--json")
    story.run("users", "remove", "mia", "--yes", "--json")
    story.run("audit", "list", "--json")
    story.run("debug-user", "remove", "--json")
