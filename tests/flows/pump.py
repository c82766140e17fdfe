"""A third party's device: paho-mqtt, JSON and `docs/wire.md`, and nothing of ours."""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Pump:
    """A garden pump that can be told to run for some minutes."""

    def __init__(self, mqtt_place: dict[str, Any], *, declared_risk: str = "low") -> None:
        self.place = mqtt_place
        self.device_id = mqtt_place["username"]
        self.base = f"{mqtt_place['prefix']}/devices/{self.device_id}"
        self.boot_id = str(uuid.uuid4())
        self.declared_risk = declared_risk
        self.ran: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.acks: list[dict[str, Any]] = []
        self.acked = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self.device_id, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.username_pw_set(self.device_id, mqtt_place["password"])
        self.client.will_set(
            f"{self.base}/presence", self.presence("offline", "connection_lost"), 1, retain=True
        )
        self.client.on_connect = self.on_connect
        self.client.on_subscribe = self.on_subscribe
        self.client.on_message = self.on_message

    def start(self) -> None:
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = 3600
        self.client.connect(self.place["host"], self.place["port"], clean_start=False, properties=expiry)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.publish(f"{self.base}/presence", self.presence("offline", "stopped"), 1, retain=True)
        self.client.disconnect()
        self.client.loop_stop()

    def presence(self, state: str, reason: str | None = None) -> str:
        message = {"state": state, "at": now(), "boot_id": self.boot_id}
        return json.dumps(message | ({"reason": reason} if reason else {}))

    def profile(self) -> dict[str, Any]:
        run = {
            "name": "water_garden",
            "description": "Waters the garden for some minutes.",
            "parameters": {
                "type": "object",
                "properties": {"minutes": {"type": "integer", "minimum": 1, "maximum": 30}},
                "required": ["minutes"],
                "additionalProperties": False,
            },
            "risk": self.declared_risk,
        }
        create = {
            "name": "create_directory",
            "description": "Makes a folder.",
            "parameters": {
                "type": "object",
                "properties": {"path": {"type": "string", "format": "path"}},
                "required": ["path"],
            },
            "risk": "low",
        }
        return {"device_id": self.device_id, "boot_id": self.boot_id, "tools": [run, create], "at": now()}

    def on_connect(self, client: mqtt.Client, *_rest: object) -> None:
        options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=2)
        client.subscribe([(f"{self.base}/{kind}", options) for kind in ("command", "cancel", "ack")])

    def on_subscribe(self, client: mqtt.Client, *_rest: object) -> None:
        client.publish(f"{self.base}/profile", json.dumps(self.profile()), 1, retain=True)
        client.publish(f"{self.base}/presence", self.presence("online"), 1, retain=True)

    def on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        content = json.loads(message.payload)
        if message.topic.endswith("/ack"):
            self.acks.append(content)
            self.acked.set()
        elif message.topic.endswith("/command") and not message.retain:
            self.commands.append(content)
            if content["id"] not in [command["id"] for command in self.ran]:
                self.ran.append(content)
            self.reply(content, "succeeded", result={"arguments": content["arguments"]})

    def reply(self, command: dict[str, Any], status: str, **more: Any) -> None:
        message = {"command_id": command["id"], "status": status, "at": now(), "boot_id": self.boot_id}
        self.client.publish(command["reply_to"], json.dumps(message | more), 1)
