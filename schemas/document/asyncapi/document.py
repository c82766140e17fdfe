"""The document itself: who speaks where, to whom, about what; nothing in it is written twice."""

from typing import Any

from schemas.document.asyncapi import messages, paths, prose
from schemas.topics import DEFAULT_PREFIX, Topics

Json = dict[str, Any]

_SESSION = 7 * 86_400  # seconds that our own programs ask the broker to keep for them
_KEEPALIVE = 30  # seconds


def document(prefix: str = DEFAULT_PREFIX) -> Json:
    """The document of an installation with this prefix."""
    topics = Topics(prefix)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:orion:wire:1",
        "info": {
            "title": prose.TITLE,
            "version": prose.VERSION,
            "description": prose.description(prefix),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": messages.JSON,
        "servers": {
            "local": _server("mqtt", "1883", "The broker on its own computer; nobody else reaches it."),
            "network": _server("mqtts", "8883", "The same broker for other computers, by TLS."),
        },
        "channels": paths.channels(topics),
        "operations": paths.operations(),
        "components": {
            "messages": messages.messages(topics),
            "schemas": messages.schemas(),
            "securitySchemes": {
                "identity": {
                    "type": "userPassword",
                    "description": "The name and password of one device or user; the client id is the name.",
                }
            },
        },
    }


def _server(protocol: str, port: str, says: str) -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "protocolVersion": "5.0",
        "description": says,
        "variables": {
            "host": {"default": "localhost", "description": "Where the broker is."},
            "port": {"default": port, "description": "Its port, a setting of the installation."},
        },
        "security": [{"$ref": "#/components/securitySchemes/identity"}],
        "bindings": {
            "mqtt": {
                "clientId": "{username}",
                "cleanSession": False,
                "keepAlive": _KEEPALIVE,
                "sessionExpiryInterval": _SESSION,
                "bindingVersion": messages.BINDING,
            }
        },
    }
