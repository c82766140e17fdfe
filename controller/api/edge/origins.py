"""Whose pages may ask from a browser, and what they may send and see. Who may not is told so as everybody is."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from controller.api import problems
from controller.api.edge.asgi import App
from schemas.errors import ErrorCode

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ASKED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Traceparent",
)
SHOWN = (
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "Orion-Api",
    "Preference-Applied",
    "Retry-After",
    "Trace-Id",
    "WWW-Authenticate",
)
_OF_A_TEXT = frozenset({"content-type", "content-length"})


class Origins(CORSMiddleware):
    """Lets pages of these origins ask. They set the token themselves, so no cookie is let through."""

    def __init__(self, app: App, *, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=ASKED,
            expose_headers=SHOWN,
            allow_credentials=False,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser may send for such a page; 400 where the page, or what it wants to send, is not let in."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        said = "A page of this origin may not ask so; ORION_CORS_ORIGINS names whose pages may."
        if "access-control-allow-origin" in answer.headers:
            said = "Pages may ask, but not by this method or with these headers."
        kept = {name: value for name, value in answer.headers.items() if name not in _OF_A_TEXT}
        return problems.problem(answer.status_code, ErrorCode.INVALID_ARGUMENTS, said, headers=kept)
