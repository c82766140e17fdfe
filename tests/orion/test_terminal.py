"""What reaches a terminal or a program: clean text, one object, nobody asked who is not there."""

import json
import logging
import os
import re
import sys
from pathlib import Path

import pytest

from orion import logs, trace
from orion.terminal import Terminal
from tests.orion.installation import clean_environment, orion
from tests.orion.screen import a_screen, seen_on

ESCAPE = "\x1b[2J\x1b]0;owned\x07"


def test_text_from_devices_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()

    terminal.write(f"a{ESCAPE}b")
    terminal.say(f"c{ESCAPE}d")
    terminal.facts({"name": f"e{ESCAPE}f", "list": [f"g{ESCAPE}h"], "object": {"k": f"i{ESCAPE}j"}})
    terminal.table(["x"], [[f"k{ESCAPE}l\nm\tn"]])

    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out + said.err


def test_a_cell_stays_one_cell(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().table(["name", "text"], [["a", "two\nlines\tand a tab"]])

    assert capsys.readouterr().out == "name\ttext\na\ttwo\\nlines\\tand a tab\n"


@pytest.mark.parametrize("name", ["e\u0301te\u0301", "two  blanks", "½ \u03d2", "\u212b"])
def test_a_name_is_shown_to_the_letter(capsys: pytest.CaptureFixture[str], name: str) -> None:
    terminal = Terminal()

    terminal.write(f"  {name}")
    terminal.say(name)
    terminal.facts({"path": name})
    terminal.table(["path"], [[name]])

    said = capsys.readouterr()
    assert said.err == f"{name}\n"
    assert said.out == f"  {name}\npath  {name}\npath\n{name}\n"


@pytest.mark.parametrize("columns", [30, 44, 60, 130])
def test_a_table_loses_nothing_on_a_narrow_screen(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    row = ["01a1fa9b-cf2c-7aca-9967-c1040ddf9307", "東京の写真", "create_directory", "a longer reason " * 4]
    with a_screen() as screen:
        monkeypatch.setenv("TERM", "xterm")  # a dumb one is always 80 wide
        Terminal().table(["id", "name", "tool", "why"], [row])
        sys.stdout.write("end")
        sys.stdout.flush()

        seen = seen_on(screen, "end")

    letters = "".join(row).replace(" ", "")
    assert {each: seen.count(each) >= letters.count(each) for each in letters} == dict.fromkeys(letters, True)
    assert row[0] in seen


@pytest.mark.parametrize("columns", [50, 80, 100, 200])
def test_an_id_is_never_broken(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    ids = [f"01a1fa9b-cf2c-7aca-9967-c1040ddf930{number}" for number in range(3)]
    rows = [
        ["1", "laptop", "create_directory", "path=Test", f"the command before it: {ids[0]}", ids[1]],
        ["2", "laptop", "create_directory", "path=Other", "-", ids[2]],
    ]
    monkeypatch.setenv("COLUMNS", str(columns))
    with a_screen() as screen:
        monkeypatch.setenv("TERM", "xterm")
        Terminal().table(["#", "device", "tool", "asked", "waits for", "id"], rows)
        sys.stdout.write("end")
        sys.stdout.flush()

        lines = seen_on(screen, "end").splitlines()

    assert [sum(each in line for line in lines) for each in ids] == [1, 1, 1]
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= columns


def test_names_that_differ_unseen_look_different(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()

    terminal.facts({"path": "a "})
    terminal.facts({"path": "a\u200b"})
    terminal.table(["path"], [[" a"], ["a\u200b"]])

    assert capsys.readouterr().out == "path  'a '\npath  a\\u200b\npath\n' a'\na\\u200b\n"


def test_ordinary_signs_of_a_sentence_stay(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().say("5 m² … \u202e5\u2028")

    assert capsys.readouterr().err == "5 m² … \\u202e5\\u2028\n"


def test_lines_and_tabs_of_a_text_stay(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().facts({"content": "one\r\n\ttwo \n"})

    assert capsys.readouterr().out == "content  one\n\ttwo \n\n"


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        ("It is 5.", "It is 5.\nend\n"),
        ("Done.\nIt is 5.", "It is 5.\nDone.\nend\n"),
        ("It was 6.", "It is 5.\nIt was 6.\nend\n"),
    ],
)
def test_what_was_streamed_to_a_person_is_not_printed_again(whole: str, expected: str) -> None:
    with a_screen() as screen:
        terminal = Terminal()
        terminal.whisper("It is")
        terminal.whisper(" 5.\n")

        terminal.conclude(whole)
        terminal.say("end")

        assert seen_on(screen, "end\n").replace("\n\n", "\n") == expected


def test_without_a_terminal_the_whole_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.whisper("It is 5.")

    terminal.conclude("It is 5.")

    assert capsys.readouterr().out == "It is 5.\n"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("blah\nja\n", True), ("ye\nyess\nyes\n", True), ("blah\nnee\n", False), ("blah\n\n", False)],
)
def test_a_person_is_asked_until_it_is_yes_or_no(typed: str, answer: bool) -> None:
    with a_screen() as screen:
        os.write(screen, typed.encode())

        assert Terminal().confirm("Do this?") is answer

        sys.stderr.write("end")
        sys.stderr.flush()
        assert seen_on(screen, "end").count("[y/N]") == typed.count("\n")


def test_whoever_waits_is_told_for_whom() -> None:
    with a_screen() as screen, Terminal().waiting("laptop", silently_s=0):
        assert seen_on(screen, "waiting for laptop …\n")


def test_a_short_wait_is_silent() -> None:
    with a_screen() as screen:
        terminal = Terminal()

        with terminal.waiting("laptop", silently_s=3600):
            pass
        terminal.say("end")

        assert seen_on(screen, "end\n") == "end\n"


def test_json_is_one_line_without_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(json=True)

    terminal.write("for a person")
    terminal.items([{"a": f"é{ESCAPE}"}], {"a": "a"}, none="nothing")

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == {"items": [{"a": f"é{ESCAPE}"}]}


def test_nobody_is_asked_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()

    assert terminal.asks is False
    assert terminal.confirm("Really?") is False
    assert terminal.choose(["a", "b"]) is None
    assert "Really" not in capsys.readouterr().err


def test_a_terminal_without_our_characters_gets_their_numbers() -> None:
    environment = clean_environment(PYTHONIOENCODING="ascii", ORION_MQTT_PORT="één")

    done = orion("config", "show", environment=environment)

    assert done.returncode == 2
    assert r"\xe9\xe9n" in done.stderr


def test_json_may_stand_before_the_noun(tmp_path: Path) -> None:
    done = orion("--json", "config", "show", environment=clean_environment(ORION_DATA_DIR=str(tmp_path)))

    assert json.loads(done.stdout)["items"]


def test_an_empty_list_is_said_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().items([], {"a": "a"}, none="There are none.")

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "There are none.\n")


def test_the_way_of_a_command_counts_from_its_beginning() -> None:
    command = {
        "issued_at": "2026-02-12T10:30:05.120Z",
        "published_at": "2026-02-12T10:30:05.125Z",
        "accepted_at": "2026-02-12T10:30:05.130Z",
        "finished_at": "2026-02-12T10:30:05.220Z",
        "status": "succeeded",
    }

    assert trace.way(command) == (
        "submitted +0 ms → published to the broker +5 ms → accepted by the device +10 ms"
        " → finished +100 ms → succeeded"
    )


def test_a_log_line_cannot_look_like_two(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.configure("info")
        logging.getLogger("somebody").info("first\nERROR second %s", ESCAPE)
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)

    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("    ")
    assert "\x1b" not in "".join(lines)
