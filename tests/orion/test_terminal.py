"""What reaches a terminal or a program: clean text, one object, nobody asked who is not there."""

import json
import logging
from pathlib import Path

import pytest

from orion import logs, trace
from orion.terminal import Terminal
from tests.orion.installation import clean_environment, orion

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

    assert capsys.readouterr().out == "name\ttext\na\ttwo lines and a tab\n"


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
