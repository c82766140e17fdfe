"""Each command id once, also across the lives of the program."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device_node.journal import KEEP, Journal, State


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(path)
    yield made
    made.close()


def received(journal: Journal, command_id: str, *, expires_at: float = 0.0) -> bool:
    return journal.receive(command_id, reply_to="r", expires_at=expires_at) is None


def test_id_is_new_once(journal: Journal) -> None:
    assert received(journal, "a")
    known = journal.receive("a", reply_to="other", expires_at=0.0)
    assert known is not None
    assert (known.state, known.reply_to) == (State.RECEIVED, "r")


def test_id_is_new_once_however_many_ask_at_once(journal: Journal) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _n: received(journal, "a"), range(64))) == 1


def test_final_reply_is_kept_until_it_is_acknowledged(journal: Journal) -> None:
    for command_id in ("a", "b", "c"):
        received(journal, command_id)
        journal.finish(command_id, reply_to="r", reply=command_id.encode())
    journal.acknowledge(["b", "unknown"])
    assert [entry.reply for entry in journal.unacknowledged()] == [b"a", b"c"]
    known = journal.receive("b", reply_to="r", expires_at=0.0)
    assert known is not None
    assert known.reply == b"b"


def test_what_had_started_is_interrupted_and_what_had_not_is_new(journal: Journal, path: Path) -> None:
    received(journal, "waiting")
    received(journal, "running")
    journal.start("running", changes=True)
    received(journal, "done")
    journal.start("done", changes=False)
    journal.finish("done", reply_to="r", reply=b"x")
    journal.close()

    later = Journal(path)
    assert [entry.command_id for entry in later.interrupted()] == ["running"]
    assert received(later, "waiting")
    assert not received(later, "running")
    later.close()


def test_cancel_that_overtakes_is_remembered(journal: Journal, path: Path) -> None:
    assert journal.cancel("a", expires_at=1.0) is None
    journal.close()
    later = Journal(path)
    later.interrupted()
    known = later.receive("a", reply_to="r", expires_at=1.0)
    assert known is not None
    assert known.state is State.CANCELLED
    later.close()


def test_cancel_of_a_known_command_says_what_is_known(journal: Journal) -> None:
    received(journal, "a")
    known = journal.cancel("a", expires_at=1.0)
    assert known is not None
    assert known.state is State.RECEIVED


def test_ids_are_forgotten_long_after_their_expiry(journal: Journal) -> None:
    for command_id, expires_at in (("old", 100.0), ("young", 5_000.0)):
        received(journal, command_id, expires_at=expires_at)
        journal.finish(command_id, reply_to="r", reply=b"x")
    received(journal, "running", expires_at=100.0)
    journal.start("running", changes=False)
    assert journal.forget(now=KEEP + 1_000.0) == 1
    assert received(journal, "old")
    assert not received(journal, "young")
    assert not received(journal, "running")


def test_journal_is_private(journal: Journal, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
