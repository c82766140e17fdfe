"""What was committed is told to everybody, whoever of them fails."""

import logging

import pytest

from controller.store import notices
from controller.store.notices import DeviceChanged, Notice


def test_one_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    first, second = (DeviceChanged(name, ready=True) for name in ("laptop", "nas"))
    heard: list[Notice] = []

    def fail(_notice: Notice) -> None:
        raise RuntimeError("a defect")

    notices.tell([first, second], [fail, heard.append])

    assert heard == [first, second]
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in logged] == ["A notice could not be told: DeviceChanged"] * 2
