"""Lists over HTTP: the next page is in the body as `next`, and as a link (RFC 8288) for whoever follows those."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response

from controller.api.views.rows import Json, page
from controller.services.pages import MAX_CURSOR, Page, Row

Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR)]  # `next` of the page before


class Turning:
    """The list that a request asks for a page of."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def shown(self, rows: Page[Row], view: Callable[[Row], Json]) -> Json:
        """A page, each row as `view` shows it."""
        self.link(rows.next)
        return page(rows, view)

    def whole(self, items: list[Json], following: str | None) -> Json:
        """A page of what is shown already, with the cursor of the one behind it; None: it is the last."""
        self.link(following)
        return {"items": items, "next": following}

    def sent(self, body: bytes, following: str | None) -> Response:
        """A page that is JSON already, with the cursor of the one behind it."""
        self._response = Response(body, media_type="application/json")
        self.link(following)
        return self._response

    def link(self, following: str | None) -> None:
        """Say where the next page is: this one's address, with another cursor."""
        if following is None:
            return
        kept = [each for each in self._request.query_params.multi_items() if each[0] != "cursor"]
        path = quote(self._request.scope["path"])
        self._response.headers["Link"] = f'<{path}?{urlencode([*kept, ("cursor", following)])}>; rel="next"'


async def _turning(request: Request, response: Response) -> Turning:
    return Turning(request, response)


Pages = Annotated[Turning, Depends(_turning)]
Filter = Annotated[str | None, Query(min_length=1, max_length=100)]
AnyLimit = Annotated[int | None, Query(ge=1, le=1_000)]  # of a list that is whole without it
