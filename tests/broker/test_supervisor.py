"""A broker that is started, proven, restarted and stopped."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import psutil
import pytest

from broker import binary, probe
from broker.binary import BrokerUnavailable
from broker.identities import Identities, await_active
from broker.session import Backoff, Session, Subscription
from broker.settings import BrokerSettings
from broker.supervisor import Supervisor, supervised
from tests.broker.running import RunningBroker, endpoint_of
from tests.ports import free_port

EVERYWHERE = str(IPv4Address(0))


def a_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


async def test_broker_answers_once_it_is_ready(broker: RunningBroker) -> None:
    credentials = await asyncio.to_thread(broker.identities.kept, "probe.health")
    await probe.probe("127.0.0.1", broker.settings.port, credentials)


async def test_health_check_tells_a_working_broker_from_a_dead_one(tmp_path: Path) -> None:
    async with supervised(BrokerSettings(data_dir=tmp_path, port=free_port())):
        assert await asyncio.to_thread(probe.main, [str(tmp_path)]) == 0
    assert await asyncio.to_thread(probe.main, [str(tmp_path)]) == 1


def test_health_check_of_an_empty_folder_fails(tmp_path: Path) -> None:
    assert probe.main([str(tmp_path)]) == 1


async def test_killed_broker_is_started_again(broker: RunningBroker) -> None:
    first = broker.supervisor.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await await_active(broker.controller, within_s=10)
    session = Session(broker.controller, client_id="controller-main")
    await session.connect()
    await session.subscribe([Subscription("orion/v1/audit")])
    assert await session.publish("orion/v1/audit", b"{}") == 0
    await session.close()
    assert broker.supervisor.pid != first


async def test_stopped_broker_remembers_what_it_held(tmp_path: Path) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    async with supervised(settings) as supervisor:
        credentials = await asyncio.to_thread(supervisor.identities.ensure)
        endpoint = endpoint_of(settings, credentials.username, credentials.password)
        session = Session(endpoint, client_id=credentials.username)
        await session.connect()
        await session.publish("orion/v1/controllers/keys", b"kept", retain=True)
        await session.close()
    async with supervised(settings):
        session = Session(endpoint, client_id=credentials.username)
        await session.connect()
        await session.subscribe([Subscription("orion/v1/controllers/keys")])
        (message,) = await session.receive(1)
        assert message.payload == b"kept"
        await session.close()


async def test_crash_loop_is_said_with_the_last_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    supervisor = Supervisor(settings, backoff=Backoff(first_s=0.01, longest_s=0.02))
    await supervisor.start()
    watching = asyncio.create_task(supervisor.watch())
    async with asyncio.timeout(20):
        while "times in a row" not in caplog.text:
            if supervisor.pid is not None:
                with contextlib.suppress(ProcessLookupError):  # killed already, and not yet noticed
                    os.kill(supervisor.pid, signal.SIGKILL)
            await asyncio.sleep(0.02)
    watching.cancel()
    await asyncio.wait((watching,))
    await supervisor.stop()


async def test_taken_port_is_named_before_anything_starts(broker: RunningBroker, tmp_path: Path) -> None:
    second = Supervisor(BrokerSettings(data_dir=tmp_path, port=broker.settings.port))
    with pytest.raises(BrokerUnavailable, match=str(broker.settings.port)) as caught:
        await second.start()
    assert "ORION_MQTT_PORT" in str(caught.value)
    assert "systemctl" in str(caught.value)


async def test_second_supervisor_of_a_folder_is_refused(broker: RunningBroker) -> None:
    with pytest.raises(BrokerUnavailable, match="another broker runs"):
        await Supervisor(broker.settings).start()
    assert broker.supervisor.pid is not None


async def test_refused_supervisor_touches_nothing_of_the_running_one(tmp_path: Path) -> None:
    async with supervised(BrokerSettings(data_dir=tmp_path, port=free_port()), controller="main"):
        before = contents(tmp_path)
        other = BrokerSettings(data_dir=tmp_path, port=free_port(), tls_port=free_port(), prefix="other")
        second = Supervisor(other, controller="second")
        with pytest.raises(BrokerUnavailable, match="another broker runs"):
            await second.start()
        await second.stop()
        assert contents(tmp_path) == before


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Every file with the moment and the content of its last change."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("named", [True, False], ids=["with a pid file", "without one"])
async def test_leftover_of_a_killed_supervisor_gives_way(tmp_path: Path, named: bool) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    async with supervised(settings):
        pass
    program = await asyncio.to_thread(binary.find)
    leftover = await asyncio.create_subprocess_exec(
        program, "-c", str(settings.config_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if named:
            settings.pid_path.write_text(f"{leftover.pid}\n")
        async with supervised(settings) as supervisor:
            assert supervisor.pid not in (None, leftover.pid)
            assert leftover.returncode is not None
    finally:
        with contextlib.suppress(ProcessLookupError):
            leftover.kill()
        await leftover.wait()


async def test_foreign_process_behind_an_old_pid_file_is_left_alone(tmp_path: Path) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    settings.directory.mkdir()
    bystander = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=subprocess.PIPE)
    settings.pid_path.write_text(f"{bystander.pid}\n")
    async with supervised(settings):
        assert bystander.returncode is None
    bystander.kill()
    await bystander.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_broker_dies_with_its_supervisor(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from broker.settings import BrokerSettings\nfrom broker.supervisor import supervised\n"
        "async def main():\n"
        f"    async with supervised(BrokerSettings(data_dir=Path({str(tmp_path)!r}), port={free_port()})) as it:\n"
        "        print(it.pid, flush=True)\n        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
        child.wait(5)


async def test_stop_takes_a_moment_even_when_mosquitto_hangs(tmp_path: Path) -> None:
    supervisor = Supervisor(BrokerSettings(data_dir=tmp_path, port=free_port(), stop_within_s=0.2))
    await supervisor.start()
    assert supervisor.pid is not None
    child = psutil.Process(supervisor.pid)
    child.suspend()
    await supervisor.stop()
    assert not child.is_running()


async def test_broker_that_does_not_start_says_its_last_words(tmp_path: Path) -> None:
    program = a_program(
        tmp_path / "mosquitto",
        'test "$1" = -h && echo "mosquitto version 2.0.11" && exit 3; echo "out of luck"; exit 7',
    )
    supervisor = Supervisor(BrokerSettings(data_dir=tmp_path, port=free_port(), binary=program))
    with pytest.raises(BrokerUnavailable, match=r"exit code 7(?s:.)*out of luck"):
        await supervisor.start()


async def test_broker_that_never_answers_is_given_up(tmp_path: Path) -> None:
    program = a_program(
        tmp_path / "mosquitto", 'test "$1" = -h && echo "mosquitto version 2.0.11" && exit 3; exec sleep 60'
    )
    supervisor = Supervisor(
        BrokerSettings(data_dir=tmp_path, port=free_port(), binary=program, start_within_s=0.3)
    )
    with pytest.raises(BrokerUnavailable, match="does not work"):
        await supervisor.start()
    assert supervisor.pid is None


def test_old_mosquitto_is_refused(tmp_path: Path) -> None:
    program = a_program(tmp_path / "mosquitto", 'echo "mosquitto version 1.6.9"')
    with pytest.raises(BrokerUnavailable, match="version 2 is needed"):
        binary.find(program)


def test_missing_mosquitto_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_program(tmp_path / "dnf", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binary, "USUAL_PLACES", ())
    with pytest.raises(BrokerUnavailable, match="sudo dnf install mosquitto"):
        binary.find()


async def test_identity_added_before_the_start_is_known_after_it(tmp_path: Path) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    settings.directory.mkdir()
    identities = Identities(settings.directory)
    password = await asyncio.to_thread(identities.add_device, "early")
    async with supervised(settings):
        session = Session(endpoint_of(settings, "early", password), client_id="early")
        await session.connect()
        await session.close()


async def test_a_port_that_the_network_can_listen_to_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(BrokerSettings(data_dir=tmp_path, host=EVERYWHERE, port=free_port())):
        assert "can be read on the network" in caplog.text
        assert "ORION_MQTT_TLS_HOST" in caplog.text
