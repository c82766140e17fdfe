"""What a device keeps before it asks: a key that the same code finds again, and room that gives way."""

from pathlib import Path

from device_node import pending
from schemas.joining import JoinCode


def test_the_same_code_finds_the_same_key_again_and_another_code_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    code, other = JoinCode.make(b"ca"), JoinCode.make(b"ca")
    first = pending.prepare(folder, code)
    pending.release(folder, key=False)  # it was stopped before the answer came

    assert [each.name for each in folder.iterdir()] == [pending.KEY]
    assert (folder / pending.KEY).stat().st_mode & 0o777 == 0o600
    assert pending.prepare(folder, code).secret == first.secret
    assert pending.prepare(folder, other).secret != first.secret


def test_a_key_that_is_damaged_is_replaced(tmp_path: Path) -> None:
    (tmp_path / pending.KEY).write_text("{")
    assert pending.prepare(tmp_path, JoinCode.make(b"ca")).secret


def test_nothing_is_left_once_the_identity_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    pending.prepare(folder, JoinCode.make(b"ca"))
    assert (folder / pending.ROOM).stat().st_size == pending.RESERVED
    with pending.giving_way(folder):
        assert not (folder / pending.ROOM).exists()
        assert (folder / pending.KEY).exists()
    assert not list(folder.iterdir())
