"""`orion search`, as a person and as a program uses it."""

import pytest

from orion.terminal import Terminal
from tests.orion.installation import Installation
from tests.orion.screen import a_screen, seen_on


def test_what_is_on_record_is_found_and_what_is_forgotten_is_not(installation: Installation) -> None:
    installation.data("memory", "set", "nas-place", "in de meterkast \x1b[2J")

    found = installation.data("search", "meterkasten", "NAS", "--since", "1h", "--kind", "memory")
    shown = installation.orion("search", "meterkasten")
    later = installation.data("search", "meterkasten", "--until", "2020-01-01")
    installation.data("memory", "forget", "nas-place")
    gone = installation.data("search", "meterkasten")

    assert [item["title"] for item in found["items"]] == ["nas-place"]
    assert found["items"][0]["found"] == ["nas", "meterkast"]
    heading, row = shown.stdout.splitlines()
    assert heading.split("\t") == ["at", "kind", "device", "by", "what", "text", "untrusted"]
    assert row.split("\t")[1:5] == ["memory", "-", "admin", "nas-place"]
    assert "\x1b" not in shown.stdout
    assert later == gone == {"items": [], "next": None}


def test_a_long_answer_goes_on_by_its_cursor(installation: Installation) -> None:
    for number in range(3):
        installation.data("memory", "set", f"orchid-{number}", "in bloom")
    words = ("search", "orchid", "--kind", "memory", "--limit", "2")

    first = installation.orion(*words)
    page = installation.data(*words)
    rest = installation.data(*words, "--cursor", page["next"])

    assert first.stderr == f"There may be more: --cursor {page['next']}\n"
    titles = [item["title"] for item in [*page["items"], *rest["items"]]]
    assert titles == ["orchid-2", "orchid-1", "orchid-0"]
    for number in range(3):
        installation.data("memory", "forget", f"orchid-{number}")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("search", "***"), "needs letters or digits"),
        (("search", "x" * 10_000), "at most 500 characters"),
        (("search", "a", "--since", "gisteren"), "is no moment"),
        (("search", "a", "--since", "0d"), "more than 0"),
        (("search", "a", "--kind", "device"), "device"),
        (("search", "a", "--cursor", "x"), "no cursor"),
        (("search",), "WORD"),
    ],
)
def test_what_cannot_be_asked_is_said(
    installation: Installation, words: tuple[str, ...], reason: str
) -> None:
    done = installation.orion(*words)

    assert done.returncode == 2
    assert reason in " ".join(done.stderr.split())


@pytest.mark.parametrize("plain", [False, True])
def test_found_words_stand_out_on_a_screen(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    with a_screen() as screen:
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "80")
        if plain:
            monkeypatch.setenv("NO_COLOR", "1")
        terminal = Terminal()
        terminal.marked("low_disk\nsp\x1b[2Jace, Disk disks", ["disk", "Disk"])
        terminal.write("end")
        seen = seen_on(screen, "end\n")

    yellow = "\x1b[1m" if plain else "\x1b[1;33m"
    assert seen == f"low_{yellow}disk\x1b[0m sp\\x1b[2Jace, {yellow}Disk\x1b[0m disks\nend\n"
