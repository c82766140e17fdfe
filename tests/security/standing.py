"""Everything is started, attackers among it, and nothing of it is left."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from broker.identities import Identities
from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.installation import Installation
from tests.conformance.wire_peer import PREFIX, Peer, stamp, until
from tests.ports import free_port
from tests.security.stand import Stand, let_in


@contextmanager
def standing(directory: Path, database: str) -> Iterator[Stand]:
    """Start everything, the controller on this database; nothing of it is left after the block."""
    files = directory / "files"
    files.mkdir()
    policy = directory / "policy.toml"
    policy.write_text(f'allowed_paths = ["{files}"]\n')
    policy.chmod(0o600)
    cert_port = free_port()
    site = Installation(directory, ORION_MQTT_CERT_PORT=str(cert_port), ORION_DATABASE_URL=database)
    with ExitStack() as stack:
        stack.callback(site.stop)
        site.start("broker").until_said("Broker ready")
        controller = site.start("controller")
        controller.until_said("Ready")
        token = (directory / "data" / "controller" / "token").read_text().strip()
        http = stack.enter_context(
            httpx.Client(
                base_url=f"http://127.0.0.1:{site.http_port}/api/v1/",
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
        )
        stand = Stand(site, http, _spy(site, http), files, controller, _overseer(site), cert_port)
        stack.callback(stand.leave)
        stand.short_code = (*stand.invited(valid_s=10), stamp(17))
        stand.victim, stand.twin = stand.node("victim"), stand.node("twin")
        stand.lamp, stand.thief = (
            FakeDevice(site.port, name, stand.place(name)) for name in ("lamp", "thief")
        )
        stand.others += [stand.lamp, stand.thief]
        for device in (stand.lamp, stand.thief):
            device.birth([a_tool(), a_tool("open_door", risk="high", parameters={"type": "object"})])
            device.fence()
        yield stand
        assert all(program.process.poll() is None for program in (site.programs[0], stand.controller))


def _spy(site: Installation, http: httpx.Client) -> Peer:
    answer = http.post("debug-users", json={"username": "debug.spy"})
    assert answer.is_success, answer.text
    peer = Peer(site.port, "debug.spy", answer.json()["password"])
    peer.connect(clean=True)
    peer.subscribe(f"{PREFIX}/#")
    return peer


def _overseer(site: Installation) -> Peer:
    """Whoever writes the broker's files is given any right; a client with the controller's."""
    made = Identities(site.directory / "data" / "broker").ensure("overseer")
    peer = Peer(site.port, made.username, made.password)
    until(lambda: let_in(peer, clean=True) == "let in", what="the broker taking up its files")
    return peer
