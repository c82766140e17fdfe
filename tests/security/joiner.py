"""Somebody who holds a join code."""

import json

from broker.identities import Identities
from schemas.joining import JoinCode, prove
from schemas.signing import Signer
from tests.conformance.wire_peer import PREFIX, Json, Peer, fresh, until
from tests.security.forgery import Message
from tests.security.rows import Attacker
from tests.security.stand import Stand, let_in

CODE = Attacker.JOIN_CODE


class Joiner:
    """Somebody who holds a code and asks for the place that it is for."""

    def __init__(self, stand: Stand, code: JoinCode) -> None:
        self.stand, self.code = stand, code
        self.signer = Signer.generate()
        self.peer = Peer(stand.site.port, code.username, code.password)
        self.topic = f"{PREFIX}/join/{code.invite_id}"

    def come(self) -> str:
        """Connect and listen for the answer; what the broker says."""
        said = let_in(self.peer, clean=True)
        if said == "let in":
            self.peer.subscribe(f"{self.topic}/response")
        return said

    def request(self, proof_key: str | None = None, **changes: str) -> Message:
        payload = json.dumps({"public_key": self.signer.public, "hostname": "box"} | changes).encode()
        topic = f"{self.topic}/request"
        return Message(topic, payload, prove(proof_key or self.code.proof_key, topic, payload))

    def answer(self) -> Json:
        return self.peer.expect(f"{self.topic}/response").json()

    def join(self) -> Json:
        assert self.come() == "let in"
        self.request().send(self.peer)
        return self.answer()


def until_void(joiner: Joiner) -> None:
    """The broker has put out who came with this code, and lets nobody in with it any more."""
    until(lambda: joiner.peer.gone, within=15, what="the end of the line")
    names = Identities(joiner.stand.site.directory / "data" / "broker")
    until(lambda: joiner.code.username not in names.all(), within=15, what="the end of the code")
    joiner.stand.place(f"dev-{fresh()[:8]}")  # a later change: the broker has read this one
