"""`orion up` from outside: it starts, heals and stops whole families of processes."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import psutil
import pytest

from broker.identities import Identities, await_active
from broker.session import Endpoint
from device_node import vault
from orion.config import load
from orion.crew import STOP_WITHIN, Crew
from tests.orion.installation import Installation, clean_environment, running, until


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_another_installation_beside_one_does_not_meet_it_and_ctrl_c_leaves_nothing_of_it(
    installation: Installation, tmp_path: Path
) -> None:
    with running(tmp_path, device_id="other") as other:
        assert [each["device_id"] for each in other.data("devices", "list")["items"]] == ["other"]
        assert "other" not in [each["device_id"] for each in installation.data("devices", "list")["items"]]
        stranger = other.data("devices", "list", "--http-port", str(installation.http_port), exit_code=1)
        assert "another data folder" in stranger["error"]["message"]
        family = other.family()
        assert {"broker", "controller", "node"} <= {word for each in family for word in each.cmdline()}
        assert any("mosquitto" in each.name() for each in family)

        code = other.stop(signal.SIGINT)

        assert code == 0
        assert "did not stop by itself" not in other.log  # it would have been ended when time was up
        assert not [each for each in family if is_alive(each)]
        assert other.log.index("Node other stopped") < other.log.rindex("controller | ")
    assert installation.data("run", "laptop", "system_info")["status"] == "succeeded"


def test_killed_outright_it_leaves_no_orphan_and_starts_again_with_all_it_had(tmp_path: Path) -> None:
    identity = tmp_path / "data" / "node" / "laptop" / "identity.json"
    with running(tmp_path) as installation:
        installation.data("run", "laptop", "create_directory", "path=Kept")
        family, known = installation.family(), identity.read_text()

        installation.stop(signal.SIGKILL)
        installation.start()  # at once: those that are left are ending by themselves

        until(lambda: not [each for each in family if is_alive(each)])
        assert identity.read_text() == known
        assert [each["status"] for each in installation.data("devices", "list")["items"]] == ["online"]
        assert "create_directory" in [each["tool"] for each in installation.data("commands", "list")["items"]]


@pytest.mark.parametrize("program", ["node", "controller", "broker"])
def test_a_program_that_dies_is_started_again(installation: Installation, program: str) -> None:
    child = next(each for each in installation.family() if program in each.cmdline())

    child.kill()

    until(lambda: installation.orion("run", "laptop", "system_info").returncode == 0)
    assert f"The {program} ended with exit code" in installation.log
    assert not child.is_running()


def test_a_lost_identity_is_renewed(installation: Installation) -> None:
    folder = installation.home / "data" / "node" / "spare"
    installation.data("node", "--prepare", ORION_DEVICE_ID="spare")
    lost = vault.load(folder)
    (folder / vault.FILE).unlink()

    installation.data("node", "--prepare", ORION_DEVICE_ID="spare")

    found = vault.load(folder)
    assert lost is not None
    assert found is not None
    assert (found.password, found.signing_secret) != (lost.password, lost.signing_secret)
    asyncio.run(await_active(Endpoint("127.0.0.1", installation.mqtt_port, "spare", found.password)))
    installation.data("devices", "remove", "spare")


def test_lost_keys_are_not_replaced_in_silence(tmp_path: Path) -> None:
    with running(tmp_path / "home") as installation:
        keys = installation.home / "data" / "controller" / "keys.json"
        refused = installation.data("signing-keys", "new", exit_code=1)
        assert "orion signing-keys rotate" in refused["error"]["message"]
        installation.stop()
        keys.unlink()

        done = installation.orion("--json", "controller")

        assert done.returncode == 1
        assert "orion signing-keys new" in json.loads(done.stdout)["error"]["message"]
        assert not keys.exists()

        installation.data("signing-keys", "new")
        installation.start()
        assert installation.data("run", "laptop", "system_info")["status"] == "succeeded"


def test_a_password_that_an_earlier_release_kept_gives_way_to_an_identity(installation: Installation) -> None:
    made = installation.data("devices", "add", "older", "--adopt")
    legacy = installation.home / "data" / "node" / "older" / "password"
    legacy.parent.mkdir(mode=0o700)
    legacy.write_text(made["mqtt"]["password"] + "\n")

    installation.data("node", "--prepare", ORION_DEVICE_ID="older")

    assert not legacy.exists()
    assert vault.load(legacy.parent) is not None
    assert installation.data("devices", "show", "older")["signed"]
    installation.data("devices", "remove", "older")


def test_a_node_that_is_told_to_restart_comes_back(installation: Installation) -> None:
    child = next(each for each in installation.family() if "node" in each.cmdline())

    assert installation.data("run", "laptop", "restart_node")["status"] == "succeeded"

    until(lambda: not is_alive(child))
    until(lambda: installation.orion("run", "laptop", "system_info").returncode == 0)
    assert "Starting the node again, as it asked" in installation.log


def test_a_broker_that_is_run_elsewhere_is_used(installation: Installation, tmp_path: Path) -> None:
    """The other installation's controller connects with what a broker's owner would give it."""
    identities = Identities(installation.home / "data" / "broker")
    name = identities.ensure("elsewhere")
    url = f"mqtt://{name.username}:{name.password}@127.0.0.1:{installation.mqtt_port}"
    guest = Installation(tmp_path)
    guest.environment |= {"ORION_MQTT_URL": url, "ORION_INSTANCE": "elsewhere", "ORION_PREFIX": "orion/v1"}
    try:
        facts = guest.start("--no-node")

        assert facts["mqtt"] == {"host": "127.0.0.1", "port": installation.mqtt_port, "prefix": "orion/v1"}
        assert not [
            each for each in guest.family() if "mosquitto" in each.name() or "broker" in each.cmdline()
        ]
        until(lambda: "Orion is up" in guest.log)
        assert "orion devices add" in guest.log
        assert "this computer" not in guest.log
        made = guest.data("devices", "add", "guest")
        assert "password" not in made["mqtt"]
        assert name.password not in json.dumps(guest.data("config", "show"))
        refused = guest.data("debug-user", "create", exit_code=1)
        assert "administered elsewhere" in refused["error"]["message"]
    finally:
        guest.stop()
        identities.remove(name.username)


def test_a_database_that_cannot_be_used_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    url = "nosuchdatabase://orion:hush@127.0.0.1:9/orion"

    done = Installation(tmp_path).orion("controller", ORION_DATABASE_URL=url)

    assert done.returncode == 2
    assert "ORION_DATABASE_URL" in done.stderr
    assert "It must be like sqlite:////path/orion.db or postgresql+psycopg://" in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["broker", "controller"])
@pytest.mark.parametrize("content", ["", "half", "[]", '{"a": 1}', '{"a": {"role": "king"}}'])
def test_a_damaged_list_of_identities_is_one_sentence_with_the_remedy(
    tmp_path: Path, content: str, program: str
) -> None:
    installation = Installation(tmp_path)
    path = tmp_path / "data" / "broker" / "identities.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)

    done = installation.orion(program)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{path} is damaged. Restore it from a backup" in done.stderr.replace("\n", " ")
    assert path.read_text() == content


async def test_a_child_that_does_not_stop_is_ended_within_the_time_for_all(tmp_path: Path) -> None:
    crew = Crew(load({"data_dir": str(tmp_path)}, clean_environment()), lambda _program, _line: None)
    await crew.load(["controller"])
    pid = crew.pids["controller"]
    psutil.Process(pid).suspend()

    loop = asyncio.get_running_loop()
    began = loop.time()
    await crew.stop()

    assert loop.time() - began <= STOP_WITHIN
    assert not psutil.pid_exists(pid)


def test_a_node_without_a_place_says_how_to_get_one(tmp_path: Path) -> None:
    done = Installation(tmp_path).orion("node")

    assert done.returncode == 2
    assert "orion devices invite laptop" in done.stderr


def test_the_policy_file_is_the_owners_after_the_first_start(installation: Installation) -> None:
    policy = (installation.home / "data" / "node" / "policy.toml").read_text(encoding="utf-8")

    assert str(installation.files) in policy
    assert "allow_run_command = false" in policy


def test_a_port_in_use_is_one_clear_line_with_the_remedy(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with socket.create_server(("127.0.0.1", installation.mqtt_port)):
        done = installation.orion("up")

    assert done.returncode == 1
    [said] = [line for line in done.stderr.splitlines() if str(installation.mqtt_port) in line]
    assert "ORION_MQTT_PORT" in said
    assert "systemctl disable --now mosquitto" in said


def test_the_http_port_in_use_is_one_clear_line_too(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with socket.create_server(("127.0.0.1", installation.http_port)):
        done = installation.orion("up", "--no-node")

    assert done.returncode == 1
    [said] = [line for line in done.stderr.splitlines() if str(installation.http_port) in line]
    assert "ORION_HTTP_PORT" in said
    assert "Traceback" not in done.stderr
