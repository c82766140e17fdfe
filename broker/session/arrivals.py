"""What paho has read from the broker, each packet to the part of the session that it concerns."""

from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from broker.session import properties
from broker.session.errors import ConnectionLost
from broker.session.inbox import Inbox
from broker.session.life import Life
from broker.session.outbound import Outbound
from broker.session.subscriptions import Subscriptions
from broker.session.transport import Transport


class Arrivals:
    """One connection's packets. Each is counted: so the transport knows whether a read brought a whole one."""

    def __init__(
        self,
        transport: Transport,
        *,
        connection: int,
        life: Life,
        inbox: Inbox,
        outbound: Outbound,
        subscriptions: Subscriptions,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._life = life
        self._inbox = inbox
        self._outbound = outbound
        self._subscriptions = subscriptions

    def listen(self, client: Client) -> None:
        """Take whatever comes to this client, from now on."""
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_granted
        client.on_unsubscribe = self._on_granted

    def _on_connect(self, _client: Client, _userdata: object, flags: Any, reason: Any, given: Any) -> None:
        self._transport.handled += 1
        if not self._life.connecting:
            return
        if reason.value >= 0x80:
            self._life.fail(str(reason).lower(), reason.value)
            return
        connected = properties.connected(session_present=flags.session_present, given=given)
        self._outbound.open(connected)
        self._life.let_in(connected)

    def _on_disconnect(
        self, _client: Client, _userdata: object, flags: Any, reason: Any, _given: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._life.end(ConnectionLost(f"the broker ended it ({str(reason).lower()})", reason.value))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._transport.handled += 1
        self._inbox.put(properties.received(message, self._connection))

    def _on_publish(self, _client: Client, _userdata: object, mid: int, reason: Any, _given: object) -> None:
        if self._transport.writing:
            self._outbound.written()
            return
        self._transport.handled += 1
        self._outbound.acknowledged(mid, reason.value)

    def _on_granted(
        self, _client: Client, _userdata: object, mid: int, reasons: list[ReasonCode], _given: object
    ) -> None:
        self._transport.handled += 1
        self._subscriptions.answered(mid, [reason.value for reason in reasons])
