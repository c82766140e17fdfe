"""A paho client set up the one way that a session uses it."""

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from broker.session import properties
from broker.session.messages import Endpoint, Will


def build(client_id: str, endpoint: Endpoint, will: Will | None) -> Client:
    """Manual PUBACK, no reconnecting of its own, no limits but the broker's."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTv5,
        transport="unix" if endpoint.is_socket else "tcp",
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.max_inflight_messages = 0  # `Outbound` keeps the broker's Receive Maximum
    if endpoint.username is not None:
        client.username_pw_set(endpoint.username, endpoint.password)
    if endpoint.tls is not None:
        client.tls_set_context(endpoint.tls)
    if will is not None:
        client.will_set(
            will.topic, will.payload, will.qos, will.retain, properties=properties.for_will(will.delay_s)
        )
    return client


def reason_of(error: Exception) -> str:
    """Why the broker could not be reached, in the system's words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
