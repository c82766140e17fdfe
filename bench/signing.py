"""What the signatures of one command cost: the command and its reply, each signed and verified.

Beside it stand the same four steps of the bare library, without topics, properties or base64.
"""

from nacl.signing import SigningKey

from bench.figures import Figure, microseconds
from schemas.keys import signed_bytes
from schemas.signing import Signer, Verifier
from schemas.topics import Kind, Topics

ROUNDS = 200
GOAL = 300.0  # microseconds a command, both sides together
COMMAND = b'{"pad":"%s"}' % (b"x" * 540)  # about as long as a command
REPLY = b'{"pad":"%s"}' % (b"x" * 240)


def measure() -> list[Figure]:
    """Microseconds a command."""
    topics = Topics()
    asked, answered = topics.device("laptop", Kind.COMMAND), topics.reply("laptop", "main")
    controller, device = Signer.generate(), Signer.generate()
    at_device, at_controller = Verifier.of([controller.public]), Verifier.of([device.public])

    def both_ways() -> None:
        at_device.check(asked, COMMAND, controller.sign(asked, COMMAND))
        at_controller.check(answered, REPLY, device.sign(answered, REPLY))

    private = SigningKey.generate()
    public = private.verify_key
    messages = (signed_bytes(asked, COMMAND), signed_bytes(answered, REPLY))

    def bare() -> None:
        for message in messages:
            public.verify(private.sign(message))

    bare()
    ours, theirs = microseconds(both_ways, rounds=ROUNDS), microseconds(bare, rounds=ROUNDS)
    return [
        Figure(
            "signatures of a command: command and reply, signed and verified",
            ours.said("µs"),
            f"the bare library's two signs and two verifies {theirs.said('µs')}",
            ours.median / theirs.median,
            f"under {GOAL:g} µs",
            ours.median < GOAL,
        )
    ]
