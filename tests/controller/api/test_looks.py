"""A look is shared by who asks before it begins, and by nobody who asks later."""

import asyncio

import pytest

from controller.api.looks import Looks


class Question:
    """Something that many ask; it is answered when a test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        return number


async def settled() -> None:
    """Everybody who can go on has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_comes_while_it_is_answered_shares_the_next_answer() -> None:
    looks, question = Looks(), Question()
    first = asyncio.create_task(looks.share("k", question))
    await settled()
    later = [asyncio.create_task(looks.share("k", question)) for _ in range(50)]
    await settled()
    assert question.asked == 1

    question.may_answer.set()

    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 50
    assert await looks.share("k", question) == 3
    assert not looks._gathering
    assert not looks._at_work


async def test_other_questions_do_not_wait() -> None:
    looks, slow, quick = Looks(), Question(), Question()
    quick.may_answer.set()
    waiting = asyncio.create_task(looks.share("slow", slow))
    await settled()

    assert await looks.share("quick", quick) == 1

    slow.may_answer.set()
    await waiting


async def test_an_error_is_everybodys_and_the_next_one_asks_again() -> None:
    looks, question = Looks(), Question()
    question.may_answer.set()

    async def broken() -> int:
        await asyncio.sleep(0)
        raise LookupError

    outcomes = await asyncio.gather(*(looks.share("k", broken) for _ in range(5)), return_exceptions=True)

    assert [type(each) for each in outcomes] == [LookupError] * 5
    assert await looks.share("k", question) == 1


@pytest.mark.parametrize("has_begun", [True, False])
async def test_who_asked_for_all_may_go(has_begun: bool) -> None:
    looks, question = Looks(), Question()
    first = asyncio.create_task(looks.share("k", question))
    await settled()
    leading = asyncio.create_task(looks.share("k", question))
    await settled()
    following = [asyncio.create_task(looks.share("k", question)) for _ in range(3)]
    await settled()

    (first if has_begun else leading).cancel()
    await settled()
    question.may_answer.set()

    answers = await asyncio.gather(*following)
    assert len(set(answers)) == 1
    assert answers[0] == 2
    for task in (first, leading):
        await asyncio.wait([task])
    assert not looks._gathering
    assert not looks._at_work
