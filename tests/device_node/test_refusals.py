"""What was answered without the journal is remembered, in memory and in room that was taken before."""

import asyncio
import struct
import threading
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from device_node.journal import Answer, Journal
from device_node.refusals import MAX_KEPT, Refusals
from device_node.reserve import LONGEST_TOPIC, RECORDS, SIZE, Refused, Reserve
from device_node.spool import Spool

TOGETHER = 8  # threads


def an_answer(command_id: str, reply: bytes = b"refused") -> Answer:
    return Answer(command_id, "r", 1.0, reply)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    await made.open()
    yield made
    await made.close()


def refusals_at(path: Path, spool: Spool | None = None) -> Refusals:
    return Refusals(Reserve(path), spool or Spool(Journal(path.with_name("unused.db"))))


def said_again(refused: Refused) -> Answer:
    reply = b"interrupted" if refused.interrupted else b"rejected"
    return Answer(refused.command_id, refused.reply_to, refused.expires_at, reply)


async def test_first_answer_to_an_id_stands(tmp_path: Path) -> None:
    refusals = refusals_at(tmp_path / "refused")
    await refusals.load(said_again)
    await refusals.add(an_answer("a", b"first"), interrupted=False)
    await refusals.add(an_answer("a", b"second"), interrupted=True)
    assert refusals.get("a") == an_answer("a", b"first")


async def test_next_life_remembers_until_the_journal_has_it(tmp_path: Path, journal: Journal) -> None:
    path = tmp_path / "refused"
    refusals = refusals_at(path)
    await refusals.load(said_again)
    await refusals.add(an_answer("a"), interrupted=False)
    await refusals.write_down(journal, at_once=1)
    for command_id, interrupted in (("b" * 64, True), ("é" * 64, False)):
        await refusals.add(an_answer(command_id), interrupted=interrupted)

    later = refusals_at(path)
    await later.load(said_again)
    assert len(later) == 2
    for command_id, reply in (("b" * 64, b"interrupted"), ("é" * 64, b"rejected")):
        assert later.get(command_id) == an_answer(command_id, reply)


async def test_file_keeps_its_size_and_takes_new_ones_in_the_place_of_the_old(
    tmp_path: Path, journal: Journal
) -> None:
    path = tmp_path / "refused"
    refusals = refusals_at(path)
    await refusals.load(said_again)
    for number in range(RECORDS + 5):
        await refusals.add(an_answer(f"{number}"), interrupted=False)
    assert refusals.get(f"{RECORDS + 4}") is not None  # more than there is room for are in memory alone
    await refusals.write_down(journal, at_once=RECORDS)
    for number in range(RECORDS):
        await refusals.add(an_answer(f"new-{number}"), interrupted=False)

    later = refusals_at(path)
    await later.load(said_again)
    assert len(later) == RECORDS
    assert all(later.get(f"new-{number}") is not None for number in range(RECORDS))
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
    refusals = refusals_at(path)
    await refusals.load(said_again)
    for command_id in ("a", "b"):
        await refusals.add(an_answer(command_id), interrupted=False)
    content = bytearray(await asyncio.to_thread(path.read_bytes))
    content[20] ^= 0xFF
    await asyncio.to_thread(path.write_bytes, content)

    later = refusals_at(path)
    assert await later.load(said_again) is False
    assert later.get("a") is None
    assert later.get("b") == an_answer("b", b"rejected")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    last = refusals_at(path)
    assert await last.load(said_again) is True  # the file is whole again, and is told of once
    assert (len(last), last.get("b")) == (1, an_answer("b", b"rejected"))


@pytest.mark.parametrize("left", [b"", b"x", b"x" * RECORDS * SIZE, b"x" * 3 * RECORDS * SIZE])
async def test_file_that_was_overwritten_is_told_and_made_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "refused"
    await asyncio.to_thread(path.write_bytes, left)
    refusals = refusals_at(path)
    assert await refusals.load(said_again) is False
    for number in range(RECORDS):
        await refusals.add(an_answer(f"{number}"), interrupted=False)

    later = refusals_at(path)
    assert await later.load(said_again) is True
    assert len(later) == RECORDS


@pytest.mark.parametrize("refused", [{}, {3: ("a", 1), 700: ("é", 2)}])
async def test_what_an_earlier_release_refused_is_taken_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, refused: dict[int, tuple[str, int]]
) -> None:
    """Its records had no topic; what it refused must not run because the program was updated."""
    body, check = struct.Struct("<dBH256s"), struct.Struct("<I")
    content = bytearray((body.size + check.size) * RECORDS)
    for place, (name, status) in refused.items():
        record = body.pack(1.0, status, len(name.encode()), name.encode())
        start = place * (body.size + check.size)
        content[start : start + body.size + check.size] = record + check.pack(zlib.crc32(record))
    path = tmp_path / "refused"
    await asyncio.to_thread(path.write_bytes, content)

    for _ in range(2):
        refusals = refusals_at(path)
        assert await refusals.load(said_again) is True
        assert len(refusals) == len(refused)
        for name, status in refused.values():
            reply = b"interrupted" if status == 2 else b"rejected"
            assert refusals.get(name) == Answer(name, "", 1.0, reply)
    assert (await asyncio.to_thread(path.stat)).st_size == RECORDS * SIZE
    assert caplog.records == []


async def test_first_life_has_nothing_to_tell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await refusals_at(tmp_path / "refused").load(said_again) is True
    assert caplog.records == []


async def test_what_a_kill_would_make_forgotten_is_not_promised(tmp_path: Path) -> None:
    """A later life might run it, and the earlier word that it never ran must not arrive after that."""
    refusals = refusals_at(tmp_path / "nowhere" / "refused")
    await refusals.load(said_again)
    await refusals.add(an_answer("a"), interrupted=False)
    assert refusals.promise(an_answer("a")) is False


async def test_answer_to_a_topic_too_long_to_keep_is_remembered_without_it(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    refusals = refusals_at(path)
    await refusals.load(said_again)
    await refusals.add(replace(an_answer("a"), reply_to="t" * (LONGEST_TOPIC + 1)), interrupted=False)

    spool = Spool(Journal(tmp_path / "journal.db"))
    later = refusals_at(path, spool)
    await later.load(said_again)
    assert later.get("a") == replace(an_answer("a", b"rejected"), reply_to="")
    assert len(spool) == 0


async def test_without_room_it_is_remembered_in_memory(tmp_path: Path) -> None:
    refusals = refusals_at(tmp_path / "nowhere" / "refused")
    await refusals.load(said_again)
    await refusals.add(an_answer("a"), interrupted=False)
    assert refusals.get("a") is not None


async def test_memory_is_bounded(tmp_path: Path) -> None:
    refusals = refusals_at(tmp_path / "nowhere" / "refused")
    for number in range(MAX_KEPT + 1):
        await refusals.add(an_answer(f"{number}"), interrupted=False)
    assert len(refusals) == MAX_KEPT
    assert refusals.get("0") is None
