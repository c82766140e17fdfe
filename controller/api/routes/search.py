"""Finding words in what is on record."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.paging import Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import search
from schemas.ids import DeviceId
from schemas.wire import Instant

router = routing.router("search")

Text = Annotated[str, Query(max_length=search.MAX_TEXT)]
Kinds = Annotated[list[search.Kind] | None, Query(alias="kind", max_length=len(search.Kind))]
At = Annotated[Instant | None, Query()]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/search", responses=refusals(404))
async def found(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    q: Text,
    kind: Kinds = None,
    device_id: DeviceId | None = None,
    since: At = None,
    until: At = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.Hits)]:
    """What holds all of these words in some form, the newest first; `next`: the cursor of the page behind."""
    query = search.Query(q, tuple(kind or ()), device_id, since, until)
    page = await controller.store.read(
        partial(search.find, query=query, actor=actor, now=datetime.now(UTC), limit=limit, cursor=cursor)
    )
    return pages.whole([views.hit(each) for each in page.hits], page.next)
