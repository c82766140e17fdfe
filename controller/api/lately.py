"""Answers that are asked for again and again: looked up once for all who ask at a time, and kept meanwhile.

One is kept until this program changes what it was read from, and for a moment at most. So whoever has
changed something and asks is never told what was before.
"""

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from fastapi import Response

from controller.api.looks import Looks
from controller.api.preconditions import tag
from controller.store.freshness import Freshness, Kept

MOST = 64  # answers of one kind
LARGEST = 1_048_576  # bytes of one that is kept


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as it is sent; of a list the cursor of the page behind it, and of one thing its version."""

    body: bytes
    following: str | None = None
    version: str | None = None

    def sent(self) -> Response:
        """The answer to a request."""
        answer = Response(self.body, media_type="application/json")
        if self.version is not None:
            tag(answer, self.version)
        return answer


class Lately:
    """Lives on one event loop. `clock`: seconds that only grow."""

    def __init__(self, freshness: Freshness, clock: Callable[[], float]) -> None:
        self._freshness = freshness
        self._clock = clock
        self._looks = Looks()
        self._kept: dict[tuple[str, ...], Kept[Hashable, Answer]] = {}

    async def told(
        self, key: Hashable, look: Callable[[], Awaitable[Answer]], *, tables: tuple[str, ...]
    ) -> Answer:
        """What a look at these tables finds. Who may see the same has to follow from the key."""
        kept = self._kept.get(tables)
        if kept is None:
            kept = self._kept[tables] = Kept(self._freshness, *tables, clock=self._clock, most=MOST)
        if (known := kept.get(key)) is not None:
            return known

        async def looked() -> Answer:
            stamp = kept.stamp()
            found = await look()
            if len(found.body) <= LARGEST:
                kept.keep(stamp, key, found)
            return found

        return await self._looks.share((tables, key), looked)
