"""What Prometheus asks, at the root: for whoever sees every device, since the figures are of all of them."""

import asyncio
import logging

from fastapi import APIRouter, Response

from controller.api.deps import Controller, Parts, SeeingAll
from controller.api.live import sse, websocket
from controller.api.shapes.problems import EDGE, refusals
from controller.instruments import CONTENT_TYPE, Standing
from controller.services import census
from controller.services.census import Census
from controller.store.store import StoreFailed

logger = logging.getLogger(__name__)

router = APIRouter(tags=["metrics"])

TEXT = {"content": {"text/plain": {"schema": {"type": "string", "examples": ["mqtt_connected 1.0\n"]}}}}
WITHIN = 5.0  # seconds for the counts; a monitor waits ten


@router.get(
    "/metrics", response_class=Response, responses=refusals(*EDGE, 401, 403, 422, 429, 503) | {200: TEXT}
)
async def metrics(controller: Controller, _actor: SeeingAll) -> Response:
    """Everything that is counted, in Prometheus' text format.

    What has to be counted in the database is left out while that does not answer.
    """
    counted = await _census(controller)
    standing = Standing(
        devices=counted.devices if counted else None,
        commands=counted.commands if counted else None,
        pools=controller.store.pools(),
        queues={"writer": controller.store.waiting, **controller.devices_door.queues()},
        streams={
            "sse": controller.live.count_of(sse.event),
            "websocket": controller.live.count_of(websocket.frame),
        },
        unidentified=controller.door.waiting,
        broker=controller.devices_door.connected,
    )
    text = await asyncio.to_thread(controller.instruments.render, standing)
    return Response(text, media_type=CONTENT_TYPE)


async def _census(controller: Parts) -> Census | None:
    try:
        async with asyncio.timeout(WITHIN):
            return await controller.store.read(census.take)
    except (StoreFailed, TimeoutError) as error:
        logger.warning("Devices and commands cannot be counted now: %s", error)
        return None
