"""Our values to paho's MQTT 5 properties and back; the only place that knows their names.

Properties of a received message are read from the object's own dictionary: asking
paho's way costs a search through every property's name.
"""

from collections.abc import Callable
from typing import Any

from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker.session.messages import Connected, PublishProperties, Received, Subscription

_properties: Callable[[int], Any] = Properties  # paho does not annotate its constructor
_options: Callable[..., SubscribeOptions] = SubscribeOptions

MAX_RECEIVE = 65_535  # what a broker that names no Receive Maximum takes


def for_connect(*, session_expiry_s: int, receive_maximum: int, maximum_packet_size: int) -> Properties:
    """What this side asks of the connection."""
    given = _properties(PacketTypes.CONNECT)
    given.SessionExpiryInterval = session_expiry_s
    given.ReceiveMaximum = receive_maximum
    given.MaximumPacketSize = maximum_packet_size
    made: Properties = given
    return made


def for_will(delay_s: int) -> Properties:
    """How long the broker waits before it publishes the will."""
    given = _properties(PacketTypes.WILLMESSAGE)
    given.WillDelayInterval = delay_s
    made: Properties = given
    return made


def for_publish(wanted: PublishProperties) -> Properties:
    """Only what is wanted: each property costs bytes and time."""
    given = _properties(PacketTypes.PUBLISH)
    if wanted.expiry_s is not None:
        given.MessageExpiryInterval = wanted.expiry_s
    if wanted.response_topic is not None:
        given.ResponseTopic = wanted.response_topic
    if wanted.correlation is not None:
        given.CorrelationData = wanted.correlation
    if wanted.content_type is not None:
        given.ContentType = wanted.content_type
    if wanted.user_properties:
        given.UserProperty = list(wanted.user_properties)
    made: Properties = given
    return made


def subscribe_options(wanted: Subscription) -> SubscribeOptions:
    """How the messages of one filter are delivered."""
    return _options(
        qos=wanted.qos,
        noLocal=wanted.no_local,
        retainAsPublished=wanted.retain_as_published,
        retainHandling=int(wanted.retain_handling),
    )


def connected(*, session_present: bool, given: Properties) -> Connected:
    """The broker's limits; what it left out is without limit."""
    values = vars(given)
    return Connected(
        session_present=session_present,
        maximum_packet_size=values.get("MaximumPacketSize"),
        maximum_qos=values.get("MaximumQoS", 2),
        receive_maximum=values.get("ReceiveMaximum", MAX_RECEIVE),
        retain_available=values.get("RetainAvailable", 1) == 1,
    )


def received(message: MQTTMessage, connection: int) -> Received:
    """A message as it arrived on this connection."""
    values = vars(message.properties) if message.properties is not None else {}
    return Received(
        topic=message.topic,
        payload=bytes(message.payload),
        qos=message.qos,
        retain=bool(message.retain),
        expiry_s=values.get("MessageExpiryInterval"),
        user_properties=tuple(values.get("UserProperty", ())),
        mid=message.mid,
        dup=bool(message.dup),
        connection=connection,
        beside=_bytes(values),
    )


def _bytes(values: dict[str, Any]) -> int:
    """How much the properties hold that may be of any length."""
    if not values:
        return 0
    texts = [value for value in values.values() if isinstance(value, str | bytes)]
    texts += [text for pair in values.get("UserProperty", ()) for text in pair]
    return sum(map(len, texts))
