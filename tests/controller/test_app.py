"""The controller as a whole: how it comes to a broker."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from broker.session import Endpoint
from controller import app
from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from tests.broker.remote import RemoteBroker, remote_broker
from tests.broker.running import RunningBroker
from tests.flows.installation import NO_MODEL, running_controller
from tests.ports import free_port
from tests.postgres import cluster


def second(remote: RemoteBroker, data_dir: Path, **changes: Any) -> ControllerSettings:
    """A controller whose name the broker has not heard yet."""
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "instance": "second",
        "endpoint": replace(remote.controller, username="controller-second", password="p" * 43),
        "administrator": remote.admin,
        "database_url": engine.sqlite_url(data_dir / "orion.db"),
        "http_port": 0,
        "model": ModelSettings(host=NO_MODEL),
        **changes,
    }
    return ControllerSettings(**given)


async def test_first_start_on_a_remote_broker_makes_its_name_before_it_uses_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with remote_broker(tmp_path) as remote, running_controller(second(remote, tmp_path)) as http:
        assert (await http.get("devices")).status_code == 200

    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_without_its_administrator_it_connects_by_the_name_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with remote_broker(tmp_path) as remote:
        await remote.administration.ensure_controller("second", "p" * 43)
        nobody: Endpoint = replace(remote.admin, password="no")
        async with running_controller(second(remote, tmp_path, administrator=nobody)):
            await asyncio.sleep(0)

    assert "The controller's name at the broker is not certain" in caplog.text


async def test_a_database_server_that_is_not_there_yet_is_waited_for(
    tmp_path: Path, broker: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with cluster() as server:
        settings = ControllerSettings(
            data_dir=tmp_path,
            endpoint=broker.controller,
            identities_dir=broker.settings.directory,
            database_url=server.url(server.create()),
            http_port=free_port(),
            model=ModelSettings(host=NO_MODEL),
        )
        server.stop()

        async def start_it() -> None:
            async with asyncio.timeout(30), httpx.AsyncClient(trust_env=False) as early:
                while "It is waited for" not in caplog.text:
                    await asyncio.sleep(0.05)
                with pytest.raises(httpx.ConnectError):  # at once, and not that nothing is answered
                    await early.get(f"http://127.0.0.1:{settings.http_port}/api/v1/health")
            await asyncio.to_thread(server.start)

        starting = asyncio.create_task(start_it())
        async with running_controller(settings) as http:
            assert (await http.get("devices")).json()["items"] == []
        await starting


async def test_a_database_server_that_refuses_us_is_not_waited_for(
    tmp_path: Path, broker: RunningBroker
) -> None:
    with cluster() as server:
        settings = ControllerSettings(
            data_dir=tmp_path,
            endpoint=broker.controller,
            identities_dir=broker.settings.directory,
            database_url=server.url("nowhere"),
            http_port=0,
        )
        with pytest.raises(OperationalError, match="nowhere"):
            await app.run(settings, asyncio.Event(), lambda _port: None)
