"""A running installation, used as a person or a program uses it: by `orion` alone."""

import asyncio
import json
import signal
import stat
from pathlib import Path

import aiomqtt
import psutil
import pytest

from device_node import vault
from tests.orion.installation import READY_WITHIN, Installation, another_node, until
from tests.ports import free_port


def test_this_computer_is_a_device_that_was_adopted(installation: Installation) -> None:
    devices = {device["device_id"]: device for device in installation.data("devices", "list")["items"]}
    device = devices["laptop"]

    assert (device["status"], device["adopted"]) == ("online", True)
    assert "this computer" in device["aliases"]


def test_secrets_are_readable_by_their_owner_only(installation: Installation) -> None:
    data = installation.home / "data"
    private = [
        data / "controller" / "token",
        data / "node" / "laptop" / "identity.json",
        data / "controller" / "keys.json",
        data / "broker" / "passwords",
    ]

    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600] * 4
    assert [stat.S_IMODE(path.parent.stat().st_mode) for path in private] == [0o700] * 4


def test_no_secret_stands_on_a_command_line(installation: Installation) -> None:
    data = installation.home / "data"
    secrets = [path.read_text().strip() for path in [data / "controller" / "token", *data.rglob("*password")]]
    known = vault.load(data / "node" / "laptop")
    assert known is not None
    secrets += [known.password, known.signing_secret or ""]

    lines = [" ".join(process.cmdline()) for process in installation.family()]

    assert len(secrets) >= 4
    assert not [line for line in lines for secret in secrets if secret in line]


def test_a_device_that_went_away_is_offline(installation: Installation, tmp_path: Path) -> None:
    with another_node(installation, tmp_path, "desktop") as node:
        assert installation.data("run", "desktop", "system_info")["status"] == "succeeded"
        node.send_signal(signal.SIGINT)
        assert node.wait(READY_WITHIN) == 0
        until(lambda: installation.data("devices", "show", "desktop")["status"] == "offline")

        command = installation.data("run", "desktop", "system_info", exit_code=5)

    assert (command["status"], command["error"]["code"]) == ("expired", "device_offline")


def test_run_reads_values_by_the_tools_schema(installation: Installation) -> None:
    words = ("run", "laptop", "write_file", "path=five.txt", "content=5", "overwrite=true")

    # replacing is risky: had `true` been text, the arguments would have been denied instead
    assert installation.data(*words, exit_code=4)["arguments"]["overwrite"] is True


def test_a_preview_changes_nothing(installation: Installation) -> None:
    command = installation.data("run", "laptop", "create_directory", "path=Preview", "--dry-run")

    assert (command["status"], command["dry_run"]) == ("succeeded", True)
    assert not (installation.files / "Preview").exists()


def test_a_command_that_is_not_waited_for_can_be_followed(installation: Installation) -> None:
    command = installation.data("run", "laptop", "system_info", "--no-wait")

    until(lambda: installation.data("commands", "show", command["command_id"])["status"] == "succeeded")


def test_an_unknown_device_or_tool_is_denied_and_recorded(installation: Installation) -> None:
    nobody = installation.data("run", "nobody", "system_info", exit_code=3)
    nothing = installation.data("run", "laptop", "no_such_tool", exit_code=3)

    assert (nobody["error"]["code"], nothing["error"]["code"]) == ("unknown_device", "unknown_tool")
    listed = installation.data("commands", "list", "--status", "denied")["items"]
    assert {nobody["command_id"], nothing["command_id"]} <= {each["command_id"] for each in listed}


def test_a_place_for_any_device_says_how_it_connects(installation: Installation) -> None:
    words = ("devices", "add", "lamp-1", "--name", "Desk lamp", "--alias", "bureaulamp", "--alias", "lamp")
    made = installation.data(*words, "--profile", "manage", "--allow-path", "/lamp", "--allow-tool", "shine")
    try:
        mqtt = made["mqtt"]
        assert (mqtt["host"], mqtt["port"]) == ("127.0.0.1", installation.mqtt_port)
        assert (mqtt["username"], mqtt["client_id"], mqtt["prefix"]) == ("lamp-1", "lamp-1", "orion/v1")
        shown = installation.data("devices", "show", "lamp-1")
        assert mqtt["password"] not in json.dumps(shown)
        assert (shown["name"], shown["aliases"], shown["policy"]) == (
            "Desk lamp",
            ["bureaulamp", "lamp"],
            "manage",
        )
        assert shown["owner_allows"] == {"paths": ["/lamp"], "apps": None, "tools": ["shine"]}

        taken = installation.data("devices", "add", "lamp-1", exit_code=1)
        assert taken["error"]["code"] == "already_exists"
    finally:
        installation.data("devices", "remove", "lamp-1")
    assert installation.data("devices", "show", "lamp-1", exit_code=1)["error"]["code"] == "unknown_device"


def test_tools_are_shown_and_accepted(installation: Installation, tmp_path: Path) -> None:
    nothing_yet = installation.data("devices", "add", "shelf")
    assert nothing_yet["adopted"] is False
    assert installation.data("devices", "adopt", "shelf", exit_code=1)["error"]["code"] == "conflict"
    installation.data("devices", "remove", "shelf")

    shown = installation.orion("devices", "adopt", "laptop")

    assert shown.returncode == 0
    assert "create_directory\tlow\tyes\tCreate a folder" in shown.stdout


def test_the_policy_of_a_device_can_be_changed(installation: Installation) -> None:
    changed = installation.data("devices", "policy", "laptop", "--allow-tool", "system_info")
    assert changed["owner_allows"]["tools"] == ["system_info"]
    assert (
        installation.data("run", "laptop", "network_info", exit_code=3)["error"]["code"]
        == "permission_denied"
    )

    restored = installation.data("devices", "policy", "laptop", "--no-limit", "tools")

    assert restored["owner_allows"]["tools"] is None
    assert installation.data("run", "laptop", "network_info")["status"] == "succeeded"


async def test_a_debugging_user_sees_a_command_and_is_gone_afterwards(installation: Installation) -> None:
    made = await asyncio.to_thread(installation.data, "debug-user", "create", "debug.test")
    assert "-i" not in made["command"].split()
    seen: set[str] = set()
    async with (
        asyncio.timeout(READY_WITHIN),
        aiomqtt.Client(
            made["host"],
            made["port"],
            username=made["username"],
            password=made["password"],
            identifier=made["username"],
        ) as watcher,
    ):
        await watcher.subscribe(made["topic"], qos=1)
        await asyncio.to_thread(installation.data, "run", "laptop", "system_info")
        async for message in watcher.messages:
            seen.add(str(message.topic).removeprefix("orion/v1/devices/laptop/"))
            if {"command", "reply/main"} <= seen:
                break

    await asyncio.to_thread(installation.data, "debug-user", "remove", "debug.test")
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(
            made["host"], made["port"], username=made["username"], password=made["password"], timeout=1
        ):
            pass
    gone = await asyncio.to_thread(installation.data, "debug-user", "remove", "debug.test", exit_code=1)
    assert gone["error"]["code"] == "not_found"


def test_the_audit_tells_what_happened(installation: Installation) -> None:
    installation.data("run", "laptop", "system_info")

    actions = [each["action"] for each in installation.data("audit", "list", "--device", "laptop")["items"]]

    assert actions[0] == "command.succeeded"
    assert "decision.allow" in actions
    assert installation.data("events", "list", "--device", "laptop")["items"] == []


def test_the_doctor_finds_a_healthy_installation(installation: Installation) -> None:
    found = installation.data("doctor")

    states = {each["check"]: each["state"] for each in found["items"]}
    assert found["healthy"] is True
    assert states["model"] == "missing"
    assert {states[name] for name in ("mosquitto", "broker settings", "connection", "database", "clock")} == {
        "ok"
    }
    assert all(each["remedy"] for each in found["items"] if each["state"] != "ok")


def test_the_doctor_says_what_is_wrong_without_a_controller(
    tmp_path: Path, installation: Installation
) -> None:
    done = installation.orion("doctor", "--json", "--data-dir", str(tmp_path))

    wrong = [each["check"] for each in json.loads(done.stdout)["items"] if each["state"] == "wrong"]
    assert done.returncode == 1
    assert {"broker settings", "controller"} <= set(wrong)


def test_a_second_up_on_the_same_folder_says_so(installation: Installation) -> None:
    done = installation.orion("up", "--json")

    assert done.returncode == 1
    assert "already" in json.loads(done.stdout)["error"]["message"]
    assert psutil.pid_exists(installation.family()[0].pid)


def test_a_second_broker_on_the_same_folder_leaves_the_first_one_in_charge(
    installation: Installation,
) -> None:
    broker = installation.home / "data" / "broker"

    def contents() -> dict[Path, bytes]:
        """All that a second one could spoil; the first saves its own sessions now and then."""
        files = [path for path in broker.glob("[!.]*") if path.is_file() and path.name != "mosquitto.db"]
        return {path: path.read_bytes() for path in files}

    before = contents()

    done = installation.orion(
        "--json", "broker", ORION_PREFIX="elsewhere", ORION_MQTT_PORT=str(free_port()), ORION_INSTANCE="other"
    )

    assert done.returncode == 1
    assert "already" in json.loads(done.stdout)["error"]["message"]
    assert contents() == before
    assert (broker / "mosquitto.pid").exists()
