"""A name orders once: within a day, and also where two controllers take it at the same moment."""

import asyncio
import threading
from datetime import timedelta
from functools import partial

from sqlmodel import Session, select

from controller.errors import StillAtWork
from controller.services import commands, repeats
from controller.services.repeats import KEPT, Name
from controller.store.store import HouseRules, Store
from controller.store.tables import ToolExecution
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_request


def an_order(session: Session) -> ToolExecution:
    return commands.submit(session, a_request(), actor=ADMIN, now=NOON)


def test_after_a_day_a_name_is_free_again(session: Session) -> None:
    name = Name.of("k", b"x")
    once = partial(repeats.once, session, name, an_order, actor=ADMIN)

    first, _ = once(now=NOON)
    again, is_known = once(now=NOON + KEPT - timedelta(seconds=1))
    assert (again.id, is_known) == (first.id, True)
    later, is_known = once(now=NOON + KEPT)
    assert later.id != first.id
    assert not is_known
    assert once(now=NOON + KEPT)[0].id == later.id


async def test_two_controllers_at_once_make_one(postgresql_databases: Databases) -> None:
    with postgresql_databases.migrated() as url:
        first, second = (Store(url, HouseRules(instance=each)) for each in ("first", "second"))
        for each in (first, second):
            await asyncio.to_thread(each.open)
        try:
            await both_at_once(first, second)
        finally:
            for each in (first, second):
                await asyncio.to_thread(each.close)


async def both_at_once(first: Store, second: Store) -> None:
    looked = threading.Barrier(2)  # neither has recorded anything when the other one looks

    def order(session: Session) -> ToolExecution:
        looked.wait(timeout=20)
        return an_order(session)

    once = partial(repeats.once, name=Name.of("k", b"x"), order=order, actor=ADMIN, now=NOON)
    outcomes = await asyncio.gather(first.write(once), second.write(once), return_exceptions=True)

    made = [each for each in outcomes if isinstance(each, tuple)]
    assert len(made) == 1
    assert [type(each) for each in outcomes if each not in made] == [StillAtWork]
    again, is_known = await first.write(once)
    assert (again.id, is_known) == (made[0][0].id, True)
    rows = await second.read(lambda session: session.exec(select(ToolExecution.id)).all())
    assert rows == [again.id]
