"""What somebody has seen of a resource: they change it only as they saw it, and are not sent it again.

RFC 9110, 13: a change without `If-Match` is refused (428), one of something else than was seen too (412).
"""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from controller.errors import InvalidArguments, MatchNeeded, Outdated

_TAG = re.compile(r'(W/)?"([!#-~]*)"')

Tags = Annotated[str | None, Header(max_length=1_000)]


class Match:
    """The versions that somebody is ready to change. `*`: any."""

    def __init__(self, said: str) -> None:
        self._any = said.strip() == "*"
        self._versions = _versions(said)
        if not self._any and not _TAG.search(said):
            raise InvalidArguments(
                'If-Match is the ETag of what was looked at, with its quotes, as in "a1b2"; or *.'
            )

    def check(self, version: str) -> None:
        """Make sure that it is one of these.

        Raises:
            Outdated: it is another one by now.
        """
        if not self._any and version not in self._versions:
            raise Outdated


async def _match(if_match: Tags = None) -> Match:
    if if_match is None:
        raise MatchNeeded
    return Match(if_match)


async def _seen(if_none_match: Tags = None) -> frozenset[str]:
    return frozenset() if if_none_match is None else _versions(if_none_match, weak=True)


Matching = Annotated[Match, Depends(_match)]  # after who asks: whoever may not change it is told only that
Seen = Annotated[frozenset[str], Depends(_seen)]  # the versions that somebody has


def tag(response: Response, version: str) -> None:
    """Say which version an answer shows."""
    response.headers["ETag"] = f'"{version}"'


def unchanged(version: str) -> Response:
    """The answer to somebody who has it already."""
    return Response(status_code=304, headers={"ETag": f'"{version}"'})


def _versions(said: str, *, weak: bool = False) -> frozenset[str]:
    return frozenset(version for mark, version in _TAG.findall(said) if weak or not mark)
