"""A disk without room: a sentence with the remedy, and nothing is used up or lost."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_node import vault
from tests.faults import disk
from tests.orion.installation import Installation, orion
from tests.orion.test_join import join, where_of


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    with disk.small_disk(tmp_path / "disk") as folder:
        yield folder


def test_a_code_is_still_good_after_a_device_had_no_room_for_an_identity(
    installation: Installation, small: Path
) -> None:
    code = installation.data("devices", "invite", "full")["code"]
    disk.fill(small)

    refused = join(small, where_of(installation), "--no-run", code=code)

    assert refused.returncode == 1
    assert "No space left on device" in refused.stderr
    assert "the code is still good: free some room there" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert code not in refused.stdout + refused.stderr
    assert not (small / "node").exists()
    assert not installation.data("devices", "show", "full")["signed"]

    disk.free(small)
    assert join(small, where_of(installation), "--no-run", code=code).returncode == 0
    assert [each.name for each in (small / "node").iterdir()] == ["full"]
    installation.data("devices", "remove", "full")


def test_a_device_that_joins_again_without_room_keeps_its_identity(
    installation: Installation, small: Path
) -> None:
    first = installation.data("devices", "invite", "again")["code"]
    assert join(small, where_of(installation), "--no-run", code=first).returncode == 0
    before = vault.load(small / "node" / "again")
    second = installation.data("devices", "invite", "again")["code"]
    disk.fill(small)

    assert join(small, where_of(installation), "--no-run", code=second).returncode == 1
    assert vault.load(small / "node" / "again") == before

    disk.free(small)
    assert join(small, where_of(installation), "--no-run", code=second).returncode == 0
    assert vault.load(small / "node" / "again") != before
    installation.data("devices", "remove", "again")


@pytest.mark.parametrize("program", ["broker", "up"])
def test_a_first_start_without_room_says_so_and_the_next_one_with_room_works(
    tmp_path: Path, small: Path, program: str
) -> None:
    fresh = Installation(tmp_path)
    fresh.environment["ORION_DATA_DIR"] = str(small)
    disk.fill(small)

    refused = orion(program, environment=fresh.environment)

    assert refused.returncode == 1
    assert "No space left on device" in refused.stderr
    assert "Free some room there" in refused.stderr
    assert "Traceback" not in refused.stderr

    disk.free(small)
    try:
        fresh.start()
        assert fresh.stop() == 0
    finally:
        if fresh.up is not None and fresh.up.poll() is None:
            fresh.stop(signal.SIGTERM)
