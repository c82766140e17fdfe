"""Orders that wait for their device, hang on a condition, or are put back; and the queue of what has not begun."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.orion.installation import Installation, until
from tests.orion.lamp import Lamp, a_place, lit_up
from tests.orion.looking import Looking, on_a_terminal

LIGHT = ("light", "on=true")


@pytest.fixture
def away(installation: Installation) -> Iterator[Lamp]:
    """A lamp that was here once, told what it can do, and is away."""
    with a_place(installation, "lamp") as mqtt:
        lamp = Lamp(mqtt)
        with lit_up(installation, lamp):
            pass
        until(lambda: installation.data("devices", "show", "lamp")["status"] == "offline")
        yield lamp


def status_of(installation: Installation, command: dict[str, Any]) -> str:
    found: str = installation.data("commands", "show", command["command_id"])["status"]
    return found


def test_an_order_waits_for_its_device_and_runs_once_it_is_there(
    installation: Installation, away: Lamp
) -> None:
    words = ("run", "lamp", *LIGHT, "--when-online", "--expires", "10m")
    command = installation.data(*words, exit_code=4)
    assert (command["status"], command["when_online"]) == ("waiting", True)

    with lit_up(installation, away):
        until(lambda: status_of(installation, command) == "succeeded")

    assert away.took == [command["command_id"]]


def test_a_person_is_told_until_when_an_order_waits(installation: Installation, away: Lamp) -> None:
    done = installation.orion("run", "lamp", *LIGHT, "--when-online", "--expires", "2h")

    assert done.returncode == 4
    assert "light on lamp: waits for lamp until " in done.stderr
    assert "orion commands queue" in done.stderr


def test_an_order_does_not_wait_beyond_its_expiry(installation: Installation, away: Lamp) -> None:
    command = installation.data("run", "lamp", *LIGHT, "--when-online", "--expires", "1s", exit_code=4)

    until(lambda: status_of(installation, command) == "expired")

    with lit_up(installation, away):
        assert status_of(installation, command) == "expired"
    assert away.took == []


def test_the_queue_tells_what_waits_in_order_and_why(installation: Installation, away: Lamp) -> None:
    words = ("run", "lamp", *LIGHT, "--when-online", "--expires")
    first = installation.data(*words, "10m", exit_code=4)
    second = installation.data(*words, "2h", exit_code=4)

    queued = installation.data("commands", "queue", "--device", "lamp")["items"]
    shown = installation.orion("commands", "queue", "--device", "lamp")

    assert [(each["position"], each["command_id"]) for each in queued] == [
        (1, first["command_id"]),
        (2, second["command_id"]),
    ]
    assert queued[0]["expires_in"] in ("10 m", "9 m 59 s", "9 m 58 s")
    assert queued[1]["expires_in"] in ("2 h", "1 h 59 m")
    assert queued[0]["waits_for"].startswith("its device: offline")
    shortened = installation.orion("commands", "queue", "--device", "lamp", "--limit", "1")
    assert (len(shortened.stdout.splitlines()), "and 1 more" in shortened.stderr) == (2, True)
    assert shown.stdout.splitlines()[0].split("\t") == [
        "#", "device", "tool", "asked", "since", "expires in", "waits for", "id",
    ]  # fmt: skip
    assert shown.stdout.splitlines()[1].split("\t")[3] == "on=true"
    assert {first["command_id"], second["command_id"]} <= {
        each["command_id"] for each in installation.data("commands", "list", "--status", "waiting")["items"]
    }


def test_an_order_that_is_cancelled_while_it_waits_never_runs(installation: Installation, away: Lamp) -> None:
    command = installation.data("run", "lamp", *LIGHT, "--when-online", exit_code=4)

    said = installation.orion("commands", "cancel", command["command_id"])
    assert said.stderr == f"Cancelled {command['command_id']}\n"
    assert installation.data("commands", "show", command["command_id"])["status"] == "cancelled"

    with lit_up(installation, away):
        assert installation.data("commands", "queue", "--device", "lamp")["items"] == []
    assert away.took == []


def test_what_waits_for_a_yes_is_in_the_queue(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Queued")
    command = installation.data("run", "laptop", "delete_path", "path=Queued", exit_code=4)

    [entry] = [
        each
        for each in installation.data("commands", "queue")["items"]
        if each["command_id"] == command["command_id"]
    ]

    assert entry["waits_for"] == f"a person's yes: orion approvals approve {command['approval_id']}"
    installation.data("approvals", "deny", command["approval_id"])


@pytest.mark.parametrize(
    ("name", "status", "exit_code"), [("Here", "succeeded", 0), ("Nowhere", "cancelled", 1)]
)
def test_an_order_runs_only_if_its_condition_holds(
    installation: Installation, name: str, status: str, exit_code: int
) -> None:
    installation.data("run", "laptop", "create_directory", "path=Here")
    words = ("run", "laptop", "create_directory", f"path=If{name}", "--if", f"path_info path={name} exists")

    command = installation.data(*words, exit_code=exit_code)

    assert command["status"] == status
    assert (installation.files / f"If{name}").is_dir() is (status == "succeeded")


def test_a_person_is_told_what_the_condition_answered(installation: Installation) -> None:
    words = ("create_directory", "path=Never", "--if", "path_info path=Nowhere exists")

    done = installation.orion("run", "laptop", *words)

    assert done.returncode == 1
    assert "path_info said exists = false" in done.stderr


def test_a_condition_may_only_look(installation: Installation) -> None:
    words = ("run", "laptop", "system_info", "--if", "create_directory path=Sneaky")

    command = installation.data(*words, exit_code=3)

    assert command["status"] == "denied"
    assert not (installation.files / "Sneaky").exists()


def test_an_order_only_for_now_is_not_kept_for_later(installation: Installation, away: Lamp) -> None:
    command = installation.data("run", "lamp", *LIGHT, "--if", "online", exit_code=5)

    assert (command["status"], command["error"]["code"]) == ("expired", "device_offline")


def test_what_a_command_made_is_put_back(installation: Installation) -> None:
    made = installation.data("run", "laptop", "create_directory", "path=Undone")
    assert made["undoable"] is True

    looked = installation.data("undo", made["command_id"], "--dry-run")
    assert (installation.files / "Undone").is_dir()
    assert str(installation.files / "Undone") in looked["result"]["would"]

    undone = installation.data("undo", made["command_id"])
    assert (undone["tool"], undone["undoes"], undone["status"]) == ("undo", made["command_id"], "succeeded")
    assert not (installation.files / "Undone").exists()

    again = installation.data("undo", made["command_id"], exit_code=1)
    assert again["error"]["code"] == "conflict"


def test_what_cannot_be_put_back_is_said(installation: Installation) -> None:
    looked = installation.data("run", "laptop", "system_info")

    refused = installation.data("undo", looked["command_id"], exit_code=1)
    unknown = installation.data("undo", "nothing", exit_code=1)

    assert refused["error"]["code"] == "conflict"
    assert unknown["error"]["code"] == "not_found"


@pytest.mark.parametrize(("reply", "exit_code", "is_there"), [(b"n\n", 1, True), (b"y\n", 0, False)])
def test_on_a_terminal_undo_shows_what_it_would_do_and_asks(
    installation: Installation, reply: bytes, exit_code: int, is_there: bool
) -> None:
    name = f"Asked{exit_code}"
    made = installation.data("run", "laptop", "create_directory", f"path={name}")

    code, seen = on_a_terminal(
        installation, "undo", made["command_id"], prompt=b"Put this back? [y/N] ", reply=reply
    )

    assert code == exit_code
    assert f"Remove {installation.files / name} if it is empty." in seen
    assert (installation.files / name).is_dir() is is_there


def test_what_was_changed_since_stays(installation: Installation) -> None:
    made = installation.data("run", "laptop", "write_file", "path=mine.txt", "content=first")
    (installation.files / "mine.txt").write_text("by hand", encoding="utf-8")

    undone = installation.data("undo", made["command_id"], exit_code=1)

    assert undone["error"]["code"] == "conflict"
    assert (installation.files / "mine.txt").read_text(encoding="utf-8") == "by hand"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("laptop",), "which tool"),
        (("laptop", "path=x"), "which tool"),
        (("laptop", "system_info", "--rate", "5"), "--group"),
        (("laptop", "system_info", "--max-in-flight", "5"), "--max-in-flight"),
        (("--group", "lab", "laptop", "system_info"), "no device"),
        (("laptop", "system_info", "--expires", "soon"), "10m"),
        (("laptop", "system_info", "--expires", "8d"), "7d"),
        (("laptop", "system_info", "--if", "a b c"), "path_info path=~/Backup exists"),
        (("--group", "lab", "system_info", "--rate", "0"), "30/m"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_with_the_remedy(
    installation: Installation, words: tuple[str, ...], said: str
) -> None:
    done = installation.orion("run", *words)

    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_ctrl_c_at_the_card_leaves_it_to_be_decided(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Card")
    looking = Looking(installation, "run", "laptop", "delete_path", "path=Card")
    until(lambda: "[y/N]" in looking.seen)

    looking.process.send_signal(signal.SIGINT)

    assert looking.end() == 130
    [waiting] = installation.data("approvals", "list", "--status", "pending", "--limit", "1")["items"]
    assert waiting["approval_id"] in installation.data("commands", "queue")["items"][-1]["waits_for"]
    installation.data("approvals", "deny", waiting["approval_id"])
