"""`orion asyncapi`: what travels over MQTT, as a document for programs."""

import json
from typing import Any
from urllib.parse import urlsplit

import typer

from orion.config.addresses import mqtt_address
from orion.verbs import Invocation, verb


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "asyncapi", example="orion asyncapi > asyncapi.yaml\norion asyncapi --json")(asyncapi)


def asyncapi(invocation: Invocation) -> None:
    """Print the AsyncAPI 3.0 document of every topic and message, with this installation's prefix and ports.

    It is YAML, or JSON with `--json`. Nothing needs to be running.
    """
    from schemas.document.asyncapi import Broker, document

    settings = invocation.settings
    broker = Broker(port=settings.mqtt_port, tls_port=settings.mqtt_tls_port or None)
    if settings.mqtt_url is not None:
        _, port = mqtt_address(settings)
        broker = Broker.elsewhere(port, tls=urlsplit(settings.mqtt_url).scheme == "mqtts")
    found = document(settings.prefix, broker)
    if not invocation.terminal.answer(found):
        invocation.terminal.write(as_yaml(found).rstrip("\n"))


def as_yaml(found: dict[str, Any]) -> str:
    """The same as YAML, its texts of more than one line as they are read."""
    import yaml

    class Readable(yaml.SafeDumper):
        """Writes a text of more than one line as lines."""

    def lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Readable.add_representer(str, lines)
    whole = json.loads(json.dumps(found))  # what is one object here stands there twice, not by an anchor
    written: str = yaml.dump(whole, Dumper=Readable, sort_keys=False, allow_unicode=True, width=120)
    return written
