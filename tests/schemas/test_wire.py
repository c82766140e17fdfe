"""The rules that every message keeps: times, numbers, sizes, and reasons that give nothing away."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import ids, keys
from schemas.commands import Command, Reply, ReplyStatus
from schemas.devices import Heartbeat, Presence
from schemas.events import Event
from schemas.wire import MAX_REASON, MalformedMessage, format_instant


def presence(**fields: Any) -> Presence:
    values = {"state": "online", "at": "2026-02-12T10:30:05Z", "boot_id": "b"}
    return Presence.decode(json.dumps(values | fields).encode())


def event(data: str) -> Event:
    text = '{"id":"e","type":"t","severity":"info","at":"2026-02-12T10:30:05Z","data":' + data + "}"
    return Event.decode(text.encode())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-02-12T10:30:05Z", "2026-02-12T10:30:05.000Z"),
        ("2026-02-12t10:30:05z", "2026-02-12T10:30:05.000Z"),
        ("2026-02-12T10:30:05.1Z", "2026-02-12T10:30:05.100Z"),
        ("2026-02-12T10:30:05.123456789Z", "2026-02-12T10:30:05.123Z"),
        ("2026-02-12T10:30:05+02:00", "2026-02-12T08:30:05.000Z"),
        ("2026-02-12T00:30:05+01:00", "2026-02-11T23:30:05.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_read_with_its_zone_and_written_in_utc(written: str, meant: str) -> None:
    message = presence(at=written)

    assert message.to_json()["at"] == meant
    assert message.at.tzinfo is UTC
    assert Presence.decode(message.encode()).to_json()["at"] == meant


@pytest.mark.parametrize(
    "written",
    [
        "2026-02-12T10:30:05",
        "2026-02-12",
        "10:30:05Z",
        "2026-02-12 10:30:05Z",
        "2026-02-12T10:30Z",
        "2026-02-30T10:30:05Z",
        "2026-02-12T25:30:05Z",
        "2026-02-12T10:30:05+25:00",
        "2026-02-12T10:30:05,5Z",
        "2026-02-12T10:30:05Z ",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "now",
        "",
        1770897600,
        1770897600.5,
        "1770897600",
        True,
        [],
    ],
)
def test_what_is_no_time_with_a_zone_is_malformed(written: object) -> None:
    with pytest.raises(MalformedMessage, match="at"):
        presence(at=written)


def test_a_time_without_a_zone_cannot_be_put_into_a_message() -> None:
    with pytest.raises(ValueError, match="zone"):
        Presence(state="online", at=datetime(2026, 1, 1), boot_id="b")  # noqa: DTZ001 - the naive time is the point


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_is_read_back_to_the_millisecond(instant: datetime) -> None:
    read = presence(at=format_instant(instant)).at

    assert timedelta() <= instant - read < timedelta(milliseconds=1)


def test_an_instant_of_another_zone_is_written_in_utc() -> None:
    there = datetime(2026, 2, 12, 12, 0, tzinfo=timezone(timedelta(hours=2)))

    assert format_instant(there) == "2026-02-12T10:00:00.000Z"


@pytest.mark.parametrize(
    "data",
    [
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":[-Infinity]}',
        '{"a":{"b":[1,{"c":1e999}]}}',
        "[]",
        "1",
        "null",
        '"x"',
    ],
)
def test_data_that_is_no_json_object_is_malformed(data: str) -> None:
    with pytest.raises(MalformedMessage):
        event(data)


@pytest.mark.parametrize("depth", [150, 5_000])
def test_depth_is_read_or_refused_and_never_breaks_the_reader(depth: int) -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]")):
        data = '{"a":' + opening * depth + "1" + closing * depth + "}"
        if depth < 200:
            assert event(data).encode()
        else:
            with pytest.raises(MalformedMessage):
                event(data)


def test_half_a_character_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        event('{"a":"\\ud800"}')


def test_text_is_kept_as_it_is() -> None:
    awkward = {"nul": "\x00", "bidi": "\u202e", "emoji": "🙂", "big": 2**80, "small": -0.0, "empty": ""}

    assert event(json.dumps(awkward)).data == awkward


def test_of_a_field_that_is_said_twice_the_last_word_counts() -> None:
    assert presence().state == "online"
    text = '{"state":"online","at":"2026-02-12T10:30:05Z","boot_id":"b","state":"offline"}'
    assert Presence.decode(text.encode()).state == "offline"


@pytest.mark.parametrize(("written", "read"), [("1", 1), ("1.0", 1), ("1e2", 100)])
def test_json_knows_one_kind_of_number(written: str, read: int) -> None:
    text = f'{{"at":"2026-02-12T10:30:05Z","boot_id":"b","seq":{written}}}'

    assert Heartbeat.decode(text.encode()).seq == read


@pytest.mark.parametrize("written", ["-1", "1.5", '"1"', "true", "1e999", "NaN", "null"])
def test_what_is_no_count_is_malformed(written: str) -> None:
    with pytest.raises(MalformedMessage, match="seq"):
        Heartbeat.decode(f'{{"at":"2026-02-12T10:30:05Z","boot_id":"b","seq":{written}}}'.encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpu_percent", 100.1),
        ("cpu_percent", -0.1),
        ("battery_percent", "full"),
        ("uptime_s", -1),
        ("temperatures", {"cpu": -273.16}),
        ("disks", [{"mount": "/", "percent": 1}]),
        ("machines", {"printer": "on"}),
    ],
)
def test_a_figure_outside_its_unit_is_malformed(field: str, value: object) -> None:
    values = {"at": "2026-02-12T10:30:05Z", "boot_id": "b", "seq": 1, field: value}

    with pytest.raises(MalformedMessage, match=field):
        Heartbeat.decode(json.dumps(values).encode())


def test_a_reason_names_the_field_and_no_value() -> None:
    with pytest.raises(MalformedMessage) as caught:
        presence(state="s3cr3t", boot_id=["s3cr3t"])

    assert "state" in caught.value.reason
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_reason_stays_one_short_line() -> None:
    values = {
        "at": "2026-02-12T10:30:05Z",
        "boot_id": "b",
        "seq": 1,
        "temperatures": {"a\nb\x1b[31m" * 999: "x"},
    }

    with pytest.raises(MalformedMessage) as caught:
        Heartbeat.decode(json.dumps(values).encode())

    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) <= MAX_REASON


def test_a_message_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        presence().state = "offline"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("boot_id", ["", "x" * 65])
def test_an_id_has_1_to_64_characters(boot_id: str) -> None:
    with pytest.raises(MalformedMessage):
        presence(boot_id=boot_id)
    assert presence(boot_id="x" * 64)


def test_new_ids_are_uuids_of_version_7_and_sort_by_time() -> None:
    made = [ids.new_id() for _ in range(50)]

    assert len(set(made)) == 50
    for each in made:
        assert UUID(each).version == 7
        assert UUID(each).variant == "specified in RFC 4122"
    assert made == sorted(made)


def test_a_signature_covers_its_topic() -> None:
    assert keys.signed_bytes("a", b"b") == b"a\nb" != keys.signed_bytes("a\nb", b"")


def test_a_final_status_is_final() -> None:
    assert [status for status in ReplyStatus if not status.is_final] == ["accepted", "progress"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tool", "Rm"),
        ("tool", "a" * 65),
        ("attempt", 0),
        ("timeout_s", -1),
        ("requested_by", {"user": "a/b", "via": "api"}),
        ("requested_by", {"user": "a", "via": "carrier pigeon"}),
    ],
)
def test_a_command_with_an_impossible_field_is_malformed(field: str, value: object) -> None:
    values = {
        "id": "c",
        "tool": "t",
        "arguments": {},
        "issued_at": "2026-02-12T10:30:05Z",
        "expires_at": "2026-02-12T10:30:05Z",
        "timeout_s": 1,
        "reply_to": "x",
        "requested_by": {"user": "a", "via": "api"},
    }
    assert Command.decode(json.dumps(values).encode()).attempt == 1

    with pytest.raises(MalformedMessage, match=field):
        Command.decode(json.dumps(values | {field: value}).encode())


@pytest.mark.parametrize(
    ("field", "value"), [("progress", 1.1), ("status", "done"), ("duration_ms", -1), ("result", [])]
)
def test_a_reply_with_an_impossible_field_is_malformed(field: str, value: object) -> None:
    values = {
        "command_id": "c",
        "status": "succeeded",
        "at": "2026-02-12T10:30:05Z",
        "boot_id": "b",
        field: value,
    }

    with pytest.raises(MalformedMessage, match=field):
        Reply.decode(json.dumps(values).encode())
