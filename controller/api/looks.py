"""The same question of many at once is asked once: whoever comes while it is being answered shares the next answer.

Nobody gets an answer to a look that had begun before they asked: what was committed by then is in it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class _Abandoned(Exception):
    """Whoever asked for everybody has gone before there was an answer."""


class Looks:
    """Looks that are shared by those who see the same: that has to follow from the key."""

    def __init__(self) -> None:
        self._gathering: dict[Hashable, asyncio.Future[Any]] = {}  # not begun: more may join
        self._at_work: dict[Hashable, asyncio.Future[Any]] = {}

    async def share(self, key: Hashable, look: Callable[[], Awaitable[T]]) -> T:
        """What a look finds that begins from now on; errors are shared too."""
        while (shared := self._gathering.get(key)) is not None:
            try:
                found: T = await asyncio.shield(shared)
            except _Abandoned:
                continue
            return found
        return await self._lead(key, look)

    async def _lead(self, key: Hashable, look: Callable[[], Awaitable[T]]) -> T:
        shared = self._gathering[key] = asyncio.get_running_loop().create_future()
        try:
            while (before := self._at_work.get(key)) is not None:
                await asyncio.wait([before])
            del self._gathering[key]
            self._at_work[key] = shared
            found = await look()
        except Exception as error:
            _fail(shared, error)
            raise
        except asyncio.CancelledError:
            _fail(shared, _Abandoned())
            raise
        else:
            shared.set_result(found)
            return found
        finally:
            for each in (self._gathering, self._at_work):
                if each.get(key) is shared:
                    del each[key]


def _fail(shared: asyncio.Future[Any], error: Exception) -> None:
    shared.set_exception(error)
    shared.exception()  # nobody else may have waited for it
