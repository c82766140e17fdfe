"""A broker that is run elsewhere, administered over MQTT through Mosquitto's dynamic-security plugin."""

from broker.dynsec.remote import Remote

__all__ = ["Remote"]
