"""What happens, as it happens: `/api/v1/stream`, as Server-Sent Events or, upgraded, as a WebSocket."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, WebSocket
from fastapi.requests import HTTPConnection

from controller.api import deps, routing
from controller.api.access import proxies
from controller.api.access.refusals import Unauthorized
from controller.api.deps import Parts
from controller.api.live import sse, websocket
from controller.api.live.messages import Kind, Wrap
from controller.api.live.reader import Reader
from controller.api.live.watch import NOUN, Wanted
from controller.api.shapes.problems import Answers, refusals
from controller.errors import InvalidArguments, OrionError
from schemas.commands import Via
from schemas.ids import DeviceId, MessageId

router = routing.router(NOUN)
sockets = APIRouter(prefix=routing.PREFIX, tags=[NOUN])  # a WebSocket has no body to be looked at

EXAMPLE = """event: event
data: {"id":"7c1d4479ae5f-8","type":"event","at":"2026-02-12T10:30:05.120Z","data":{"device_id":"workshop-pc"}}
id: 7c1d4479ae5f-8

"""
ANSWERS: Answers = refusals(429) | {
    200: {"content": {sse.MEDIA_TYPE: {"schema": {"type": "string", "examples": [EXAMPLE]}}}}
}
MOST_NAMED = 100  # devices, or commands, of one reader

Authorization = Annotated[str, Header(max_length=4_000, include_in_schema=False)]
Position = Annotated[str | None, Query(max_length=64, description="Go on after the message of this id.")]


def parts(connection: HTTPConnection) -> Parts:
    """The controller behind a request or a WebSocket."""
    found: Parts = connection.app.state.parts
    return found


def wanted(
    types: Annotated[
        str | None, Query(max_length=500, description="Of these types only; commas between.")
    ] = None,
    device_id: Annotated[list[DeviceId] | None, Query(max_length=MOST_NAMED)] = None,
    command_id: Annotated[list[MessageId] | None, Query(max_length=MOST_NAMED)] = None,
) -> Wanted:
    """What somebody wants to watch.

    Raises:
        InvalidArguments: there is no such type.
    """
    named = [each.strip() for each in (types or "").split(",") if each.strip()]
    if odd := sorted(set(named) - set(Kind)):
        raise InvalidArguments(f"types: there is none {odd[0]!r}. There are {', '.join(Kind)}.")
    return Wanted(frozenset(map(Kind, named)), frozenset(device_id or ()), frozenset(command_id or ()))


Controller = Annotated[Parts, Depends(parts)]
Watching = Annotated[Wanted, Depends(wanted)]


@router.get(
    "/stream",
    dependencies=[Depends(deps.actor)],
    status_code=200,
    response_class=sse.EventStream,
    responses=ANSWERS,
)
async def events(
    controller: Controller,
    watching: Watching,
    authorization: Authorization = "",
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    position: Annotated[Position, Query(alias="last_event_id")] = None,
) -> sse.EventStream:
    """What happens from now on, or after the message of `Last-Event-ID`, as far as one sees it.

    Each event's data is `{"id", "type", "at", "data"}`. The first is `ready`; `reset` says that something
    was left out, and `end` why there is nothing more.
    """
    token = _bearer(authorization)
    reader = await _opened(controller, token, watching, sse.event, last_event_id or position)
    return sse.EventStream(controller.live, reader)


@sockets.websocket("/stream")
async def messages(
    line: WebSocket,
    controller: Controller,
    watching: Watching,
    authorization: Annotated[str | None, Header(max_length=4_000)] = None,
    last_event_id: Position = None,
) -> None:
    """The same as a WebSocket. Who shows no token in the header says it first: `{"type": "auth", "token"}`."""
    websocket.check_origin(line)
    if authorization is not None:
        token = _bearer(authorization)
        reader = await _opened(controller, token, watching, websocket.frame, last_event_id)
    else:
        said = await controller.door.first(line, _caller(controller, line))
        if said is None:
            return
        try:
            reader = await _opened(
                controller, said.token, watching, websocket.frame, said.last_event_id or last_event_id
            )
        except OrionError as error:
            await websocket.turn_away(line, error)
            return
    await websocket.serve(line, controller.live, reader)


def _caller(controller: Parts, line: WebSocket) -> str:
    connected = "" if line.client is None else line.client.host
    return proxies.caller(connected, line.headers, controller.settings.trusted_proxies)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    return token


async def _opened(controller: Parts, token: str, watching: Wanted, wrap: Wrap, after: str | None) -> Reader:
    shown = controller.passes.of(token)
    if shown.key is not None:  # that it was used is noted there
        await controller.doorkeeper.actor_of(token, Via.API)
    return await controller.live.open(shown, watching, wrap, after=after)


router.routes.extend(sockets.routes)
