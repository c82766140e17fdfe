"""A small application with the layers of the API around it, and a clock that somebody moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from controller.api import problems
from controller.api.edge import layers
from controller.settings import ControllerSettings
from tests.controller.api.conftest import NO_BROKER


@dataclass
class Hour:
    """A clock that somebody moves."""

    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


@asynccontextmanager
async def around(clock: Hour, client: str = "192.0.2.7", **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A small application with the layers around it, as somebody at an address asks it."""
    app = FastAPI()

    @app.get("/here")
    async def here() -> dict[str, str]:
        return {}

    problems.install(app)
    known = ControllerSettings(data_dir="/nowhere", endpoint=NO_BROKER, database_url="sqlite://", **settings)
    transport = httpx.ASGITransport(layers.around(app, known, clock), client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as asking:
        yield asking
