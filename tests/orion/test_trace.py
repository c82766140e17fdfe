"""`orion trace` tells the way of a command and of all that one request set in motion."""

import pytest

from tests.orion.installation import Installation


def test_the_way_of_a_command_is_told_by_its_id_and_by_its_trace(installation: Installation) -> None:
    made = installation.data("run", "laptop", "create_directory", "path=Traced")
    by_id = installation.data("trace", made["command_id"])
    by_trace = installation.data("trace", made["trace_id"])

    assert by_id["trace_id"] == made["trace_id"]
    assert [each["event"] for each in by_id["items"]] == [
        "asked",
        "decided",
        "queued",
        "published",
        "accepted",
        "succeeded",
    ]
    assert by_id["items"][0]["actor"] == "admin"
    assert by_id["items"][0]["via"] == "cli"
    since = [each["since_ms"] for each in by_id["items"]]
    assert since[0] == 0
    assert since == sorted(since)
    assert by_trace["items"] == by_id["items"]


def test_a_person_reads_it_as_a_table(installation: Installation) -> None:
    made = installation.data("run", "laptop", "create_directory", "path=Read")
    shown = installation.orion("trace", made["command_id"])

    lines = shown.stdout.splitlines()
    assert lines[0].split("\t")[:4] == ["at", "after", "what", "who"]
    assert lines[1].split("\t")[1:4] == ["+0.0 ms", "asked", "admin by cli"]
    assert f"Trace {made['trace_id']}: 1 command" in shown.stderr


def test_a_sentence_is_told_with_what_it_set_in_motion(installation: Installation) -> None:
    report = installation.data("ask", "make a folder Told on my laptop")
    command_id = report["calls"][0]["command_id"]
    trace_id = installation.data("commands", "show", command_id)["trace_id"]

    events = [each["event"] for each in installation.data("trace", trace_id)["items"]]

    assert events[0] == "request.received"
    assert events[-1] == "succeeded"


def test_what_is_not_on_record_is_said(installation: Installation) -> None:
    refused = installation.data("trace", "4bf92f3577b34da6a3ce929d0e0e4736", exit_code=1)

    assert refused["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../devices", "../devices is no id"),
        ("", "Nothing is no id"),
        ("a b", "a b is no id"),
        ("x" * 65, "is no id"),
    ],
)
def test_what_is_no_id_is_said_to_be_none(installation: Installation, name: str, said: str) -> None:
    refused = installation.data("trace", name, exit_code=1)["error"]

    assert refused["code"] == "not_found"
    assert said in refused["message"]


def test_an_id_may_be_typed_in_capitals(installation: Installation) -> None:
    made = installation.data("run", "laptop", "create_directory", "path=Capitals")

    for name in (made["trace_id"], made["command_id"]):
        assert installation.data("trace", name.upper())["trace_id"] == made["trace_id"]
