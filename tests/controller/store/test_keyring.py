"""What signs when, and what devices are told of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import Conflict
from controller.store.keyring import OVERLAP, SETTLE, KeyRing, KeysUnusable


class Hour:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hour() -> Hour:
    return Hour()


@pytest.fixture
def ring(tmp_path: Path, hour: Hour) -> KeyRing:
    made = KeyRing(tmp_path / "controller" / "keys.json", hour)
    made.open()
    return made


def ids(ring: KeyRing) -> set[str]:
    return {key.key_id for key in ring.keys}


def introducers(ring: KeyRing) -> list[str]:
    return [signer.key_id for signer in ring.announcement()[1]]


def test_the_first_start_makes_a_key_that_only_its_owner_reads(ring: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "controller" / "keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert ids(ring) == {ring.signer.key_id}


def test_the_next_start_signs_with_the_same_key(ring: KeyRing, tmp_path: Path, hour: Hour) -> None:
    again = KeyRing(tmp_path / "controller" / "keys.json", hour)
    again.open()
    assert again.signer.key_id == ring.signer.key_id


def test_a_new_key_is_announced_by_the_old_one_before_it_signs(ring: KeyRing, hour: Hour) -> None:
    old = ring.signer.key_id
    new = ring.rotate().key_id
    said, (by,) = ring.announcement()
    assert {key.key_id for key in said.keys} == {old, new}
    assert (ring.signer.key_id, by.key_id) == (old, old)
    hour.now += SETTLE
    assert (ring.signer.key_id, introducers(ring)) == (new, [old])


def test_the_old_key_ends_after_the_overlap(ring: KeyRing, hour: Hour) -> None:
    new = ring.rotate().key_id
    hour.now += SETTLE + OVERLAP
    assert ids(ring) == {new}
    assert introducers(ring) == [new]


def test_a_second_rotation_waits_for_the_first(ring: KeyRing, hour: Hour) -> None:
    ring.rotate()
    with pytest.raises(Conflict, match="overlaps until 2026-03-31"):
        ring.rotate()
    hour.now += SETTLE + OVERLAP
    ring.rotate()


def test_a_stolen_key_counts_no_more_and_only_says_who_follows(ring: KeyRing, hour: Hour) -> None:
    old = ring.signer.key_id
    new = ring.rotate(at_once=True).key_id
    assert ids(ring) == {new} == {ring.signer.key_id}
    assert introducers(ring) == [old, new]
    hour.now += OVERLAP
    assert introducers(ring) == [new]


def test_each_key_that_was_replaced_at_once_says_who_follows(ring: KeyRing, hour: Hour) -> None:
    first = ring.signer.key_id
    second = ring.rotate(at_once=True).key_id
    third = ring.rotate(at_once=True).key_id
    assert ids(ring) == {third}
    assert introducers(ring) == [first, second, third]
    hour.now += OVERLAP
    assert introducers(ring) == [third]


def test_after_one_at_once_an_ordinary_rotation_is_possible_again(ring: KeyRing, hour: Hour) -> None:
    stolen = ring.signer.key_id
    second = ring.rotate(at_once=True).key_id
    third = ring.rotate().key_id
    assert ids(ring) == {second, third}
    assert ring.signer.key_id == second
    assert introducers(ring) == [stolen, second]  # whoever was away learns of both
    with pytest.raises(Conflict, match="orion signing-keys rotate --at-once"):
        ring.rotate()
    hour.now += SETTLE + OVERLAP
    assert ids(ring) == {third}
    assert introducers(ring) == [third]


def test_one_at_once_ends_the_overlap_before_it(ring: KeyRing) -> None:
    first = ring.signer.key_id
    second = ring.rotate().key_id
    third = ring.rotate(at_once=True).key_id
    fourth = ring.rotate().key_id
    assert ids(ring) == {third, fourth}
    assert introducers(ring) == [first, second, third]


def test_what_was_rotated_survives_a_restart(ring: KeyRing, tmp_path: Path, hour: Hour) -> None:
    ring.rotate()
    again = KeyRing(tmp_path / "controller" / "keys.json", hour)
    again.open()
    assert again.keys == ring.keys


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"secret": "x"}', '[{"secret": "x"}]', json.dumps([{"secret": 1}])]
)
def test_a_damaged_file_is_never_replaced(content: str, tmp_path: Path, hour: Hour) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(KeysUnusable, match="Restore it from a backup"):
        KeyRing(path, hour).open()
    assert path.read_text() == content


def test_keys_that_devices_go_by_are_not_begun_anew_in_silence(tmp_path: Path, hour: Hour) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(
        KeysUnusable, match=r"laptop, nas(?s:.)*Restore it from a backup.*orion signing-keys new"
    ):
        KeyRing(path, hour).open(enrolled=["laptop", "nas"])
    assert not path.exists()
    KeyRing(path, hour).begin()
    KeyRing(path, hour).open(enrolled=["laptop", "nas"])


def test_keys_are_never_begun_anew_over_those_that_are_there(
    ring: KeyRing, tmp_path: Path, hour: Hour
) -> None:
    with pytest.raises(Conflict, match="orion signing-keys rotate"):
        KeyRing(tmp_path / "controller" / "keys.json", hour).begin()
    assert ids(ring) == {ring.signer.key_id}


def test_keys_that_others_could_read_are_taken_from_their_eyes(
    ring: KeyRing, tmp_path: Path, hour: Hour, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "controller" / "keys.json"
    path.chmod(0o644)
    again = KeyRing(path, hour)
    again.open()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "orion signing-keys rotate --at-once" in caplog.text
    assert again.keys == ring.keys


def test_nothing_says_the_private_key(ring: KeyRing, tmp_path: Path) -> None:
    secret = json.loads((tmp_path / "controller" / "keys.json").read_text())[0]["secret"]
    assert secret not in repr(vars(ring))
    assert secret not in repr(ring.keys)
