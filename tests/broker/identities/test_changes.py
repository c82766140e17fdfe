"""A change is whole whatever interrupts it, and reaches the broker or is not told as done."""

import asyncio
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker import files, process
from broker.identities import BrokerUnreachable, Identities, Local, await_active, local
from broker.rights import Role
from broker.session import Endpoint, PublishRefused
from broker.settings import BrokerSettings
from broker.supervisor import supervised
from tests.broker.encrypted import joined
from tests.broker.identities.topics import A, B
from tests.broker.running import RunningBroker
from tests.ports import free_port


def test_changes_made_at_once_are_all_kept(identities: Identities, tmp_path: Path) -> None:
    def add(number: int) -> None:
        Identities(tmp_path / "broker").add_device(f"d{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    devices = [name for name, role in identities.all().items() if role is Role.DEVICE]
    assert len(devices) == 24
    assert (
        len((tmp_path / "broker" / "passwords").read_text().splitlines()) == 26
    )  # and the controller, and what proves a change


# as `_write` orders them
WRITTEN = ("probe.changes.password", "identities.json", "rights.acl", "passwords")


@pytest.mark.parametrize("died_after", range(len(WRITTEN) + 1))
@pytest.mark.parametrize("change", ["add", "remove", "suspend", "rotate"])
async def test_a_change_that_was_interrupted_is_whole_after_the_next_start(
    tmp_path: Path, died_after: int, change: str
) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    identities = Identities(settings.directory)

    def begin_and_die() -> str:
        identities.ensure_probes()
        kept = identities.add_device("kept")
        if change != "add":
            identities.add_device("a")
        before = {name: (settings.directory / name).read_text() for name in WRITTEN}
        changes: dict[str, Callable[[str], object]] = {
            "add": identities.add_device,
            "remove": identities.remove,
            "suspend": identities.suspend,
            "rotate": identities.rotate,
        }
        changes[change]("a")
        for name in WRITTEN[died_after:]:
            (settings.directory / name).write_text(before[name])
        return kept

    password = await asyncio.to_thread(begin_and_die)
    async with supervised(settings):
        local = Local(identities, Endpoint(settings.host, settings.port))
        await await_active(Endpoint(settings.host, settings.port, "kept", password))
        if "a" in await local.all():
            await local.remove("a")
        place = Endpoint(settings.host, settings.port, "a", await local.add_device("a"))
        async with joined(place) as device:
            await device.publish(f"{A}/event", b"{}")
            with pytest.raises(PublishRefused):
                await device.publish(f"{B}/event", b"{}")


def test_nothing_is_reloaded_where_no_broker_runs(identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "broker" / "mosquitto.pid").write_text("1")  # somebody else's process
    assert identities.reload() is False


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_a_change_reaches_a_broker_whose_pid_file_is_lost(broker: RunningBroker, change: str) -> None:
    async with joined(await broker.add_device("a")) as device:
        broker.settings.pid_path.unlink()
        await getattr(Local(broker.identities, broker.controller), change)("a")
        async with asyncio.timeout(5):
            await device.lost()


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_a_change_that_no_supervised_broker_reads_is_not_told_as_done(
    identities: Identities, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(local, "ACTS_WITHIN", 0.2)
    await asyncio.to_thread(identities.add_device, "a")
    with files.locked(identities.directory / process.LOCK_FILE), pytest.raises(BrokerUnreachable):
        await getattr(Local(identities, Endpoint("127.0.0.1", free_port())), change)("a")


def test_a_mosquitto_that_does_not_listen_for_signals_yet_is_not_ended_by_one(
    identities: Identities, tmp_path: Path
) -> None:
    """It reads its files when it has started, and SIGHUP would end it before."""
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    path = (identities.directory / process.CONFIG_FILE).resolve()
    with subprocess.Popen([program, "-c", path], stdin=subprocess.PIPE) as starting:
        assert process.running(identities.directory) is not None
        assert identities.reload() is False
        starting.communicate(b"\n")
    assert starting.returncode == 0


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_the_broker_outlives_changes_of_those_who_are_away(broker: RunningBroker, change: str) -> None:
    """Mosquitto 2.0.11 dies within some fifteen rounds if it has to judge their sessions itself."""
    local = Local(broker.identities, broker.controller)
    for number in range(30):
        name = f"d{number}"
        async with joined(await broker.add_device(name), session_expiry_s=3600):
            pass
        await getattr(local, change)(name)
        if change == "suspend":
            await local.resume(name)
    async with joined(broker.controller):
        assert broker.supervisor.restarts == 0
