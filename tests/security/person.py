"""Somebody with a role who speaks by MQTT."""

from pathlib import Path

from tests.conformance.wire_peer import PREFIX, Json, Peer, fresh, stamp, until
from tests.security.stand import Stand

ENDS = ("final", "error", "decision_result")


class Person:
    """Somebody who speaks over MQTT."""

    def __init__(self, stand: Stand, role: str) -> None:
        self.stand = stand
        self.name, self.password = stand.user(role)
        self.peer = Peer(stand.site.port, self.name, self.password)
        self.peer.connect(clean=True)
        self.topic = f"{PREFIX}/users/{self.name}"
        self.peer.subscribe(f"{self.topic}/response")

    def ask(self, text: str, **more: str) -> Json:
        """Say it and wait for the end."""
        request = {"id": fresh(), "text": text, "at": stamp()} | more
        self.peer.publish(f"{self.topic}/request", request)
        return self.end(request["id"])

    def end(self, request_id: str) -> Json:
        def over() -> list[Json]:
            found = [one.json() for one in self.peer.all(f"{self.topic}/response", request_id=request_id)]
            return [one for one in found if one["type"] in ENDS]

        until(over, within=20, what="an answer")
        return over()[0]

    def fence(self) -> None:
        """What was published before has been looked at when this returns."""
        self.ask("which devices are there?")

    def decide(self, approval_id: str, card_hash: str) -> Json:
        decision = {"id": fresh(), "approval_id": approval_id, "approval_hash": card_hash}
        self.peer.publish(f"{self.topic}/decision", decision | {"decision": "approve", "at": stamp()})
        return self.end(decision["id"])


def a_folder(stand: Stand) -> Path:
    return stand.files / f"made-{fresh()[:8]}"
