"""`orion memory` and `orion sessions`, as a person and as a program uses them."""

import pytest

from tests.orion.installation import Installation


def test_a_memory_is_set_read_found_listed_and_forgotten(installation: Installation) -> None:
    kept = installation.data(
        "memory", "set", "nas/place", "in the cupboard", "--tag", "storage", "--expires", "30d"
    )
    installation.data("memory", "set", "ports", "[80, 443]", "--parse", "--device", "laptop")

    assert installation.data("memory", "get", "nas/place") == kept
    assert installation.data("memory", "get", "ports", "--device", "laptop")["value"] == [80, 443]
    assert len(installation.data("memory", "list")["items"]) == 2
    assert [each["key"] for each in installation.data("memory", "search", "storage")["items"]] == [
        "nas/place"
    ]
    assert installation.data("memory", "forget", "nas/place") == {"key": "nas/place", "forgotten": True}
    installation.data("memory", "forget", "ports", "--device", "laptop")
    assert installation.data("memory", "list")["items"] == []
    missing = installation.data("memory", "get", "nas/place", exit_code=1)
    assert missing["error"]["code"] == "not_found"


def test_a_memory_elsewhere_is_named_with_the_option_to_say(installation: Installation) -> None:
    installation.data("memory", "set", "meter", "in the hall", "--global")

    for verb in ("get", "forget"):
        said = installation.orion("memory", verb, "meter")
        assert (said.returncode, said.stderr) == (
            1,
            "Nothing is remembered as 'meter' there, but for everybody (--global).\n",
        )
    installation.data("memory", "forget", "meter", "--global")


def test_a_person_reads_a_table_and_a_value_can_come_from_stdin(installation: Installation) -> None:
    said = installation.orion("memory", "set", "wifi", "-", stdin="in the drawer\n")
    shown = installation.orion("memory", "list")
    installation.data("memory", "forget", "wifi")

    assert (said.returncode, said.stderr) == (0, "Remembered wifi\n")
    heading, row = shown.stdout.splitlines()
    assert heading.split("\t")[:2] == ["key", "value"]
    assert row.split("\t")[:4] == ["wifi", "in the drawer", "user", "admin"]


@pytest.mark.parametrize(
    "words",
    [
        ("set", "a", "b", "--global", "--device", "laptop"),
        ("set", "a", "{", "--parse"),
        ("set", "a", "b", "--expires", "soon"),
        ("search",),
    ],
)
def test_what_is_not_meant_like_that_is_a_usage_error(
    installation: Installation, words: tuple[str, ...]
) -> None:
    assert installation.orion("memory", *words).returncode == 2


def test_a_conversation_is_gone_on_with_shown_and_ended(installation: Installation) -> None:
    first = installation.data("ask", "maak een map Sessies op mijn laptop")
    again = installation.data("ask", "help", "--session", "last", exit_code=1)
    shown = installation.data("sessions", "show", first["session_id"])
    read = installation.orion("sessions", "show", first["session_id"])
    by_word = installation.data("sessions", "show", "last")
    kept = installation.data("memory", "set", "here", "it", "--session", "last")
    got = installation.data("memory", "get", "here", "--session", "last")
    ended = installation.data("sessions", "end", "last")
    over = installation.data("ask", "help", "--session", first["session_id"], exit_code=1)

    assert again["session_id"] == first["session_id"]
    assert [each["role"] for each in shown["messages"]] == ["user", "assistant"] * 2
    assert "create_directory on laptop: succeeded" in read.stdout
    assert by_word == shown
    assert (kept["scope"], kept["owner"], got) == ("session", first["session_id"], kept)
    assert ended["active"] is False
    assert over["error"]["code"] == "conflict"
    listed = installation.data("sessions", "list", "--active")["items"]
    assert first["session_id"] not in [each["session_id"] for each in listed]
