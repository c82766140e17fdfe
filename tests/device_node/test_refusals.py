"""What was answered without the journal is remembered, in memory and in room that was taken before."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device_node.journal import Answer
from device_node.refusals import MAX_KEPT, Refusals
from device_node.reserve import RECORDS, SIZE, Refused, Reserve

TOGETHER = 8  # threads


def an_answer(command_id: str, reply: bytes = b"refused") -> Answer:
    return Answer(command_id, "r", 1.0, reply)


def said_again(refused: Refused) -> Answer:
    return an_answer(refused.command_id, b"interrupted" if refused.interrupted else b"rejected")


async def test_first_answer_to_an_id_stands(tmp_path: Path) -> None:
    refusals = Refusals(Reserve(tmp_path / "refused"))
    await refusals.load(said_again)
    await refusals.add(an_answer("a", b"first"), interrupted=False)
    await refusals.add(an_answer("a", b"second"), interrupted=True)
    assert refusals.get("a") == an_answer("a", b"first")


async def test_next_life_remembers_until_the_journal_has_it(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    refusals = Refusals(Reserve(path))
    await refusals.load(said_again)
    for command_id, interrupted in (("a", False), ("b" * 64, True), ("é" * 64, False)):
        await refusals.add(an_answer(command_id), interrupted=interrupted)
    await refusals.drop([an_answer("a")])

    later = Refusals(Reserve(path))
    await later.load(said_again)
    assert {answer.command_id: answer.reply for answer in later.oldest(9)} == {
        "b" * 64: b"interrupted",
        "é" * 64: b"rejected",
    }


async def test_file_keeps_its_size_and_takes_new_ones_in_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    refusals = Refusals(Reserve(path))
    await refusals.load(said_again)
    for number in range(RECORDS + 5):
        await refusals.add(an_answer(f"{number}"), interrupted=False)
    assert refusals.get(f"{RECORDS + 4}") is not None  # more than there is room for are in memory alone
    await refusals.drop([an_answer("0")])
    await refusals.add(an_answer("new"), interrupted=False)

    later = Refusals(Reserve(path))
    await later.load(said_again)
    assert len(later) == RECORDS
    assert later.get("new") is not None
    assert (await asyncio.to_thread(path.stat)).st_size == RECORDS * SIZE


def test_those_that_are_refused_at_the_same_moment_each_have_a_place(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "refused")
    reserve.open()
    together = threading.Barrier(TOGETHER)

    def put(name: str) -> None:
        together.wait()
        reserve.put(Refused(name, 1.0, interrupted=False))

    names = [f"{number}" for number in range(TOGETHER * 50)]
    with ThreadPoolExecutor(TOGETHER) as threads:
        list(threads.map(put, names))

    assert {refused.command_id for refused in Reserve(tmp_path / "refused").open()} == set(names)


async def test_spoilt_record_is_told_and_the_others_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "refused"
    refusals = Refusals(Reserve(path))
    await refusals.load(said_again)
    for command_id in ("a", "b"):
        await refusals.add(an_answer(command_id), interrupted=False)
    content = bytearray(await asyncio.to_thread(path.read_bytes))
    content[20] ^= 0xFF
    await asyncio.to_thread(path.write_bytes, content)

    later = Refusals(Reserve(path))
    assert await later.load(said_again) is False
    assert [answer.command_id for answer in later.oldest(9)] == ["b"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    last = Refusals(Reserve(path))
    assert await last.load(said_again) is True  # the file is whole again, and is told of once
    assert [answer.command_id for answer in last.oldest(9)] == ["b"]


@pytest.mark.parametrize("left", [b"", b"x", b"x" * RECORDS * SIZE, b"x" * 3 * RECORDS * SIZE])
async def test_file_that_was_overwritten_is_told_and_made_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "refused"
    await asyncio.to_thread(path.write_bytes, left)
    refusals = Refusals(Reserve(path))
    assert await refusals.load(said_again) is False
    for number in range(RECORDS):
        await refusals.add(an_answer(f"{number}"), interrupted=False)

    later = Refusals(Reserve(path))
    assert await later.load(said_again) is True
    assert len(later) == RECORDS


async def test_first_life_has_nothing_to_tell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await Refusals(Reserve(tmp_path / "refused")).load(said_again) is True
    assert caplog.records == []


async def test_without_room_it_is_remembered_in_memory(tmp_path: Path) -> None:
    refusals = Refusals(Reserve(tmp_path / "nowhere" / "refused"))
    await refusals.load(said_again)
    await refusals.add(an_answer("a"), interrupted=False)
    assert refusals.get("a") is not None


async def test_memory_is_bounded(tmp_path: Path) -> None:
    refusals = Refusals(Reserve(tmp_path / "nowhere" / "refused"))
    for number in range(MAX_KEPT + 1):
        await refusals.add(an_answer(f"{number}"), interrupted=False)
    assert len(refusals) == MAX_KEPT
    assert refusals.get("0") is None
