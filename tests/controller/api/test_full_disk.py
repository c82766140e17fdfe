"""Who must be let in no more, while there is no room for a record of it: small disks of their own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import httpx
import pytest

from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from tests.broker.administered import FILES, administered_broker
from tests.controller.api.test_identities import Orion, is_refused, online, until_gone
from tests.disks import Disk, small_disk
from tests.flows.installation import NO_MODEL, running_controller


@asynccontextmanager
async def on_disks(database: Path, broker: Path, keys: Path) -> AsyncIterator[Orion]:
    """A controller and a broker whose files lie in these folders."""
    async with administered_broker(FILES, broker) as running:
        settings = ControllerSettings(
            data_dir=keys,
            endpoint=running.controller,
            database_url=engine.sqlite_url(database / "orion.db"),
            identities_dir=running.folder,
            http_port=0,
            model=ModelSettings(host=NO_MODEL),
        )
        async with running_controller(settings) as client:
            yield Orion(running, client)


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    async with small_disk(tmp_path / "disk") as made:
        yield made


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 503, answer.text
    told: str = answer.json()["detail"]
    assert "Something went wrong" not in told
    return told


async def fill(disk: Disk) -> None:
    """Fill a disk up. The database and its log have room for some more: not for a single page at last."""
    await disk.fill()
    await asyncio.to_thread(_use_up, disk.path / "orion.db")


def _use_up(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        for size in (100_000, 1):  # characters
            with suppress(sqlite3.OperationalError):  # full
                for number in range(10_000):
                    database.execute("CREATE TABLE IF NOT EXISTS filler (words TEXT)")
                    database.execute("INSERT INTO filler VALUES (?)", (f"{number}" * size,))


async def audited(orion: Orion, action: str) -> int:
    return len((await orion.http.get("audit", params={"action": action})).json()["items"])


async def test_what_cannot_be_recorded_is_revoked_all_the_same(
    disk: Disk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with on_disks(disk.path, tmp_path_factory.mktemp("broker"), tmp_path / "data") as orion:
        endpoint = await orion.device()
        device = await online(orion, endpoint)
        await fill(disk)

        told = refused(await orion.http.post("devices/lamp/revoke"))

        await until_gone(device)
        assert await is_refused(endpoint)
        assert "lamp is out" in told
        assert "full" in told
        assert "Make room, then revoke it once more so that it is recorded" in told
        await disk.free()
        assert await audited(orion, "device.revoked") == 0
        assert (await orion.http.post("devices/lamp/revoke")).status_code == 200
        await orion.until("offline", "revoked")
        assert await audited(orion, "device.revoked") == 1


async def test_who_is_not_out_is_said_to_be_in_and_a_later_revocation_completes_it(
    disk: Disk, tmp_path: Path
) -> None:
    async with on_disks(disk.path, disk.path, disk.path) as orion:
        endpoint = await orion.device()
        device = await online(orion, endpoint)
        await disk.fill()

        told = refused(await orion.http.post("devices/lamp/revoke"))

        assert "lamp is NOT out" in told
        assert "make room" in told.lower()
        assert "stop the broker" in told
        assert not await is_refused(endpoint)
        await disk.free()
        assert (await orion.http.post("devices/lamp/revoke")).status_code == 200
        await until_gone(device)
        assert await is_refused(endpoint)


async def test_a_broker_without_room_is_told_of_though_the_record_is_made(disk: Disk, tmp_path: Path) -> None:
    async with on_disks(tmp_path, disk.path, tmp_path / "data") as orion:
        endpoint = await orion.device()
        device = await online(orion, endpoint)
        await disk.fill()

        told = refused(await orion.http.post("devices/lamp/revoke"))

        assert "lamp is NOT out" in told
        assert "stop the broker" in told
        await disk.free()
        assert (await orion.http.post("devices/lamp/revoke")).status_code == 200
        await until_gone(device)
        assert await is_refused(endpoint)


async def test_a_password_that_cannot_be_written_stays(disk: Disk, tmp_path: Path) -> None:
    async with on_disks(tmp_path, disk.path, tmp_path / "data") as orion:
        endpoint = await orion.device()
        await disk.fill()

        told = refused(await orion.http.post("devices/lamp/rotate"))

        assert "No space left" in told
        assert "ake room" in told
        assert not await is_refused(endpoint)
        await disk.free()
        assert (await orion.http.post("devices/lamp/rotate")).status_code == 200


async def test_a_password_that_cannot_be_recorded_opens_nothing(
    disk: Disk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with on_disks(disk.path, tmp_path_factory.mktemp("broker"), tmp_path / "data") as orion:
        endpoint = await orion.device()
        await fill(disk)

        told = refused(await orion.http.post("devices/lamp/rotate"))

        assert "full" in told
        assert "Make room, then rotate it once more" in told
        assert await is_refused(endpoint)
        await disk.free()
        assert not await is_refused(await orion.made("devices/lamp/rotate"))


async def test_keys_that_cannot_be_written_stay(
    disk: Disk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with on_disks(tmp_path, tmp_path_factory.mktemp("broker"), disk.path) as orion:
        before = (await orion.http.get("signing-keys")).json()
        await disk.fill()

        told = refused(await orion.http.post("signing-keys/rotate", json={"at_once": True}))

        assert "No space left" in told
        assert "ake room" in told
        assert "still signs" in told
        assert (await orion.http.get("signing-keys")).json() == before
        await disk.free()
        assert (await orion.http.post("signing-keys/rotate", json={"at_once": True})).status_code == 201


async def test_a_key_that_cannot_be_recorded_is_told_to_devices_all_the_same(
    disk: Disk, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with on_disks(disk.path, tmp_path_factory.mktemp("broker"), tmp_path / "data") as orion:
        (before,) = (await orion.http.get("signing-keys")).json()["items"]
        await disk.fill()

        told = refused(await orion.http.post("signing-keys/rotate", json={"at_once": True}))

        (now,) = (await orion.http.get("signing-keys")).json()["items"]
        assert now["key_id"] != before["key_id"]
        assert now["key_id"] in told
        assert "full" in told
        await disk.free()
