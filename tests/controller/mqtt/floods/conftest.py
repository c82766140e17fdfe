"""What counts floods, by a clock that a test moves."""

import pytest

from controller.mqtt.complaints import Complaints
from controller.mqtt.floods import Floods
from tests.controller.mqtt.floods.flood import Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def floods(time: Time) -> Floods:
    return Floods(Complaints(time), time)
