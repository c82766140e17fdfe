"""What is asked for, where it is said in full (RFC 9112, 3.2.2): `GET http://host/path` is `/path` of that host."""

import re

import h11

_HOST = b"host"
_IN_FULL = re.compile(rb"http://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class Requests(h11.Connection):
    """One side of HTTP/1.1 that hears of targets in one form. The host in a target counts, and not the header's."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What came next."""
        event = super().next_event()
        if isinstance(event, h11.Request) and not event.target.startswith(b"/"):
            return _short(event)
        return event


def _short(request: h11.Request) -> h11.Request:
    found = _IN_FULL.fullmatch(request.target)
    if found is None:  # of another kind, which nothing here is asked by
        return request
    host, path = found.groups()
    others = [(name, value) for name, value in request.headers if name != _HOST]
    return h11.Request(
        method=request.method,
        target=path if path.startswith(b"/") else b"/" + path,
        headers=[(_HOST, host), *others],
        http_version=request.http_version,
    )
