"""Every topic is built and read in one place, and nothing else is a topic of ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import Address, Kind, Topics, with_article

TOPICS = Topics()
OF_A_DEVICE = [Kind.PRESENCE, Kind.PROFILE, Kind.HEARTBEAT, Kind.EVENT, Kind.COMMAND, Kind.CANCEL, Kind.ACK]
OF_A_USER = [Kind.REQUEST, Kind.DECISION, Kind.RESPONSE]

device_ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


@given(device_ids, st.sampled_from(OF_A_DEVICE))
def test_a_devices_topic_is_read_as_it_was_built(device_id: str, kind: Kind) -> None:
    assert TOPICS.parse(TOPICS.device(device_id, kind)) == Address(kind, device_id)


@given(device_ids, st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_a_reply_belongs_to_its_device_and_to_who_asked(device_id: str, instance: str) -> None:
    topic = TOPICS.reply(device_id, instance)

    assert TOPICS.parse(topic) == Address(Kind.REPLY, device_id, instance)
    assert TOPICS.reply_instance(topic, device_id) == instance
    assert TOPICS.reply_instance(topic, device_id + "x") is None


@pytest.mark.parametrize("kind", OF_A_USER)
def test_a_users_topic_is_read_as_it_was_built(kind: Kind) -> None:
    assert TOPICS.parse(TOPICS.user("Ada.L_1", kind)) == Address(kind, "Ada.L_1")


def test_the_topics_of_an_invitation_are_read_as_they_were_built() -> None:
    assert TOPICS.parse(TOPICS.join_request("k7f3")) == Address(Kind.JOIN_REQUEST, "k7f3")
    assert TOPICS.parse(TOPICS.join_response("k7f3")) == Address(Kind.JOIN_RESPONSE, "k7f3")


def test_the_controllers_own_topics() -> None:
    assert TOPICS.parse(TOPICS.controller_presence("main")) == Address(Kind.CONTROLLER_PRESENCE, "main")
    assert TOPICS.parse(TOPICS.keys()) == Address(Kind.KEYS)
    assert TOPICS.parse(TOPICS.audit()) == Address(Kind.AUDIT)
    assert TOPICS.parse(TOPICS.approval("a-1")) == Address(Kind.APPROVAL, "a-1")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "orion/v1",
        "orion/v1/",
        "orion/v2/audit",
        "xorion/v1/audit",
        "orion/v1/audit/",
        "orion/v1/devices/laptop",
        "orion/v1/devices/laptop/",
        "orion/v1/devices/laptop/reply",
        "orion/v1/devices/laptop/reply/",
        "orion/v1/devices/laptop/reply/a/b",
        "orion/v1/devices/laptop/reply/+",
        "orion/v1/devices/Laptop/event",
        "orion/v1/devices/-x/event",
        "orion/v1/devices/+/event",
        "orion/v1/devices/laptop/event\n",
        "orion/v1/devices/laptop/event/x",
        "orion/v1/devices/laptop/request",
        "orion/v1/users/ada/event",
        "orion/v1/users/a/b/request",
        "orion/v1/join/abc/request",
        "orion/v1/join/ABCD/request",
        "orion/v1/join/+/request",
        "orion/v1/join/abcd/decision",
        "orion/v1/approvals/",
        "orion/v1/approvals/a/b",
        "orion/v1/approvals/+",
        "orion/v1/controllers/main",
        "orion/v1/controllers/main/keys",
        "$SYS/broker",
    ],
)
def test_what_is_no_topic_of_ours_is_nothing(topic: str) -> None:
    assert TOPICS.parse(topic) is None
    assert TOPICS.reply_instance(topic, "laptop") is None


def test_a_reply_to_elsewhere_names_no_instance() -> None:
    assert TOPICS.reply_instance(TOPICS.device("laptop", Kind.EVENT), "laptop") is None


def test_an_installation_may_have_a_prefix_of_its_own() -> None:
    own = Topics("home/orion")

    assert own.parse(own.device("laptop", Kind.EVENT)) == Address(Kind.EVENT, "laptop")
    assert own.parse(TOPICS.device("laptop", Kind.EVENT)) is None


def test_filters_match_every_device_and_controller() -> None:
    assert TOPICS.every_device(Kind.EVENT) == "orion/v1/devices/+/event"
    assert TOPICS.every_device(Kind.REPLY) == "orion/v1/devices/+/reply/+"
    assert TOPICS.every_controller() == "orion/v1/controllers/#"
    assert TOPICS.every_join_request() == "orion/v1/join/+/request"
    assert TOPICS.home_assistant() == "orion/v1/homeassistant/#"
    assert TOPICS.everything() == "orion/v1/#"


def test_a_kind_is_named_with_its_article() -> None:
    assert [with_article(each) for each in ("event", "ack", "command")] == ["an event", "an ack", "a command"]
