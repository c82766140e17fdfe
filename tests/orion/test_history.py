"""`orion devices history`: for a program to the letter, for a person as lines and bars."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.services import metrics
from controller.services.metrics import Sample
from controller.store import engine
from controller.store.store import Session
from tests.orion.installation import Installation
from tests.orion.looking import Looking


@pytest.fixture(scope="module")
def measured(installation: Installation) -> Installation:
    """What a device without heartbeats of its own measured in the last hour, every ten minutes."""
    installation.data("devices", "add", "sensor")
    now = datetime.now(UTC)
    samples = [
        Sample("sensor", measure, now - timedelta(minutes=10 * number), 2, mean, mean - 5.0, mean + 5.0)
        for number in range(6)
        for measure, mean in (("cpu", 10.0 + number), ("temperature:cpu", 50.0), ("machine:arm.speed", 0.0))
    ]
    writer = engine.writer(installation.database_url)
    with Session(writer) as session, session.begin():
        metrics.record(session, samples)
    writer.dispose()
    return installation


def test_a_program_gets_every_step_with_its_unit(measured: Installation) -> None:
    found = measured.data("devices", "history", "sensor", "--since", "2h", "--points", "1000")

    by_name = {each["measure"]: each for each in found["items"]}
    assert {name: each["unit"] for name, each in by_name.items()} == {
        "cpu": "%", "machine:arm.speed": None, "temperature:cpu": "°C",
    }  # fmt: skip
    points = by_name["cpu"]["points"]
    assert [each["mean"] for each in points] == [15.0, 14.0, 13.0, 12.0, 11.0, 10.0]
    assert (points[0]["low"], points[0]["high"], points[0]["count"]) == (10.0, 20.0, 2)
    assert by_name["cpu"]["whole"] | {"at": ""} == {
        "at": "", "mean": 12.5, "low": 5.0, "high": 20.0, "count": 12,
    }  # fmt: skip


def test_a_pipe_gets_tab_separated_rows(measured: Installation) -> None:
    overview = measured.orion("devices", "history", "sensor").stdout.splitlines()
    steps = measured.orion("devices", "history", "sensor", "--measure", "cpu").stdout.splitlines()

    assert overview[0] == "measure\tunit\tlast\tmean\tlow\thigh"
    assert overview[3] == "temperature:cpu\t°C\t50.0\t50.0\t45.0\t55.0"
    assert steps[0] == "measure\tat\tmean\tlow\thigh"
    assert steps[1].split("\t")[0] == "cpu"


def test_a_person_sees_lines_and_bars(measured: Installation) -> None:
    overview = Looking(measured, "devices", "history", "sensor", "--since", "1h")
    steps = Looking(measured, "devices", "history", "sensor", "--measure", "temperature")

    assert overview.end() == steps.end() == 0
    assert "▁" in overview.seen
    assert "temperature:cpu of sensor in °C, by 15 m" in steps.seen
    assert "────●────" in steps.seen.replace("\x1b[1m", "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("sensor", "--measure", "cpx"), "not_found"),
        (("nowhere",), "unknown_device"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_so(
    measured: Installation, words: tuple[str, ...], code: str
) -> None:
    assert measured.data("devices", "history", *words, exit_code=1)["error"]["code"] == code


@pytest.mark.parametrize("since", ["soon", "5s", "800d", "0"])
def test_a_time_that_cannot_be_is_a_usage_error(measured: Installation, since: str) -> None:
    assert measured.orion("devices", "history", "sensor", "--since", since).returncode == 2


def test_a_device_that_measured_nothing_is_no_error(measured: Installation) -> None:
    measured.data("devices", "add", "mute")
    found = measured.orion("devices", "history", "mute")

    assert (found.returncode, found.stdout) == (0, "")
    assert "mute has measured nothing in the last 6 h" in found.stderr
