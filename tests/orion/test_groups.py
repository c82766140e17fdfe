"""One order to a group of devices: a bar, a table of who did not succeed, and an end that tells a script."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.orion.installation import Installation, until
from tests.orion.lamp import Lamp, a_place, lit, lit_up
from tests.orion.looking import Looking, on_a_terminal

GROUP = ("--group", "lab")
LIGHT = ("light", "on=true")


def broken(_command: dict[str, Any]) -> dict[str, Any]:
    """What a lamp without a bulb answers."""
    return {"status": "failed", "error": {"code": "internal", "message": "The bulb\nis gone."}}


@pytest.fixture
def lamps(installation: Installation) -> Iterator[list[Lamp]]:
    """Three lamps of the group `lab`; the second has no bulb."""
    with ExitStack() as stack:
        names = ("lamp-1", "lamp-2", "lamp-3")
        places = [stack.enter_context(a_place(installation, name, *GROUP)) for name in names]
        lamps = [Lamp(mqtt, broken if mqtt["username"] == "lamp-2" else lit) for mqtt in places]
        stack.enter_context(lit_up(installation, *lamps))
        yield lamps


def let_end(lamps: list[Lamp]) -> None:
    for lamp in lamps:
        lamp.may_end.set()


def test_a_program_gets_one_object_with_each_device_in_it(
    installation: Installation, lamps: list[Lamp]
) -> None:
    let_end(lamps)

    parent = installation.data("run", *GROUP, *LIGHT, exit_code=1)

    assert (parent["status"], parent["group"], parent["device_id"]) == ("failed", "lab", None)
    assert (parent["rollout"]["total"], parent["rollout"]["succeeded"], parent["rollout"]["failed"]) == (
        3,
        2,
        1,
    )
    assert [(each["device_id"], each["status"]) for each in parent["items"]] == [
        ("lamp-1", "succeeded"),
        ("lamp-2", "failed"),
        ("lamp-3", "succeeded"),
    ]
    assert {each["parent_id"] for each in parent["items"]} == {parent["command_id"]}


def test_those_that_did_not_succeed_stand_in_a_table_with_the_reason(
    installation: Installation, lamps: list[Lamp]
) -> None:
    let_end(lamps)

    done = installation.orion("run", *GROUP, *LIGHT)

    assert done.returncode == 1
    assert "light on group lab: failed. 2 of 3 succeeded, 1 failed" in done.stderr
    heading, row = (line.split("\t")[:3] for line in done.stdout.splitlines())
    assert heading == ["device", "status", "outcome"]
    assert row == ["lamp-2", "failed", r"The bulb\nis gone."]


def test_a_group_of_which_all_succeed_ends_well(installation: Installation, lamps: list[Lamp]) -> None:
    let_end(lamps)
    lamps[1]._answer = lit

    done = installation.orion("run", *GROUP, *LIGHT)

    assert (done.returncode, done.stdout) == (0, "")
    assert "3 of 3 succeeded" in done.stderr


def test_a_person_sees_how_many_are_done_and_how_many_failed(
    installation: Installation, lamps: list[Lamp]
) -> None:
    looking = Looking(installation, "run", *GROUP, *LIGHT)
    until(lambda: "0/3" in looking.seen)
    let_end(lamps[:2])
    until(lambda: "2/3" in looking.seen)
    until(lambda: "1 failed" in looking.seen)
    let_end(lamps)

    assert looking.end() == 1
    assert "2 of 3 succeeded, 1 failed" in looking.seen


def test_after_so_many_failures_no_more_are_started(installation: Installation, lamps: list[Lamp]) -> None:
    let_end(lamps)

    said = installation.orion("run", *GROUP, *LIGHT, "--max-in-flight", "1", "--stop-after", "1")

    assert said.returncode == 1
    assert "Stopped after 1 failure: the others were not run." in said.stderr
    parent_id = said.stderr.split()[-1]
    parent = installation.data("commands", "show", parent_id)
    assert [each["status"] for each in parent["items"]] == ["succeeded", "failed", "cancelled"]
    assert parent["rollout"]["stopped"] is True
    assert lamps[2].took == []


def test_a_group_is_shown_and_cancelled_as_one(installation: Installation, lamps: list[Lamp]) -> None:
    parent = installation.data("run", *GROUP, *LIGHT, "--max-in-flight", "1", "--no-wait")
    until(lambda: len(lamps[0].took) == 1)

    cancelled = installation.orion("commands", "cancel", parent["command_id"])

    assert cancelled.returncode == 0
    assert f"Asked group lab to stop {parent['command_id']}, which has not ended yet: " in cancelled.stderr
    assert "of 3 succeeded" in cancelled.stderr
    let_end(lamps)
    until(lambda: installation.data("commands", "show", parent["command_id"])["status"] == "cancelled")
    shown = installation.orion("commands", "show", parent["command_id"]).stdout
    assert "lamp-3\tcancelled" in shown
    assert "max in flight" in shown
    children = installation.data("commands", "list", "--parent", parent["command_id"])["items"]
    assert len(children) == 3
    assert (lamps[1].took, lamps[2].took) == ([], [])


def test_a_pace_is_kept_and_shown(installation: Installation, lamps: list[Lamp]) -> None:
    let_end(lamps)

    parent = installation.data("run", *GROUP, *LIGHT, "--rate", "600/m", exit_code=1)

    assert parent["rollout"]["rate_per_s"] == 10
    assert len(parent["items"]) == 3


def test_a_group_that_there_is_not_is_said_with_those_that_there_are(
    installation: Installation, lamps: list[Lamp]
) -> None:
    done = installation.orion("run", "--group", "laab", *LIGHT)

    assert done.returncode == 1
    assert "lab" in done.stderr


@pytest.fixture
def computers(installation: Installation) -> Iterator[None]:
    """A group of one computer, whose tools can ask."""
    installation.data("devices", "policy", "laptop", "--group", "desk")
    installation.data("run", "laptop", "create_directory", "path=Grouped")
    yield
    installation.data("devices", "policy", "laptop", "--group", "nothing")


def test_a_group_is_asked_for_on_one_card_and_runs_after_the_yes(
    installation: Installation, computers: None
) -> None:
    words = ("run", "--group", "desk", "delete_path", "path=Grouped")

    code, seen = on_a_terminal(installation, *words, prompt=b"Do this? [y/N] ", reply=b"y\n")

    assert code == 0
    assert f"path = {installation.files / 'Grouped'}" in seen
    assert "1 of 1 succeeded" in seen
    assert not (installation.files / "Grouped").exists()


def test_a_group_that_waits_for_a_yes_can_be_decided_later(
    installation: Installation, computers: None
) -> None:
    parent = installation.data("run", "--group", "desk", "delete_path", "path=Grouped", exit_code=4)
    assert parent["status"] == "awaiting_approval"

    done = installation.orion("approvals", "approve", parent["approval_id"])

    assert done.returncode == 0
    assert "delete_path on group desk: succeeded. 1 of 1 succeeded" in done.stderr
    assert not (installation.files / "Grouped").exists()


def test_members_that_are_away_are_waited_for(installation: Installation) -> None:
    with a_place(installation, "lamp-9", "--group", "attic") as mqtt:
        lamp = Lamp(mqtt)
        lamp.may_end.set()
        with lit_up(installation, lamp):
            pass
        until(lambda: installation.data("devices", "show", "lamp-9")["status"] == "offline")
        done = installation.orion("run", "--group", "attic", *LIGHT, "--when-online")
        assert done.returncode == 4
        assert "1 wait for their devices until " in done.stderr
        [entry] = installation.data("commands", "queue", "--device", "lamp-9")["items"]

        with lit_up(installation, lamp):
            until(lambda: installation.data("commands", "show", entry["parent_id"])["status"] == "succeeded")

    assert lamp.took == [entry["command_id"]]


def test_a_dry_run_of_a_group_says_so_and_what_each_would_do(
    installation: Installation, lamps: list[Lamp]
) -> None:
    let_end(lamps)
    installation.data("devices", "policy", "laptop", "--group", "mixed")
    installation.data("devices", "policy", "lamp-1", "--group", "lab", "--group", "mixed")

    said = installation.orion("run", "--group", "mixed", "create_directory", "path=Seen", "--dry-run")

    assert "create_directory on group mixed, a dry run: " in said.stderr
    assert "1 of 2 succeeded" in said.stderr
    rows = {line.split("\t")[0]: line.split("\t")[2] for line in said.stdout.splitlines()}
    assert rows["laptop"].startswith("Create the folder ")
    assert not (installation.files / "Seen").exists()
    listed = installation.orion("commands", "list", "--device", "laptop", "--limit", "1").stdout
    assert listed.rstrip().endswith("\tsucceeded (dry run)")
