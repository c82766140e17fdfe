"""A signature holds for one topic and one payload, and for nobody else's key."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY, signed_bytes
from schemas.signing import BadKey, BadSignature, Signer, UnknownKey, Verifier, from_text, key_id, to_text

TOPIC = "orion/v1/devices/laptop/command"
PAYLOAD = b'{"id":"1"}'
OURS = Signer.generate()
OTHERS = Signer.generate()
BELIEVED = Verifier.of([OURS.public])


def test_what_was_signed_is_believed_with_its_key_named() -> None:
    assert BELIEVED.check(TOPIC, PAYLOAD, OURS.sign(TOPIC, PAYLOAD)) == OURS.key_id


def test_other_user_properties_do_not_matter() -> None:
    properties = (("traceparent", "00-1"), *OURS.sign(TOPIC, PAYLOAD))
    assert BELIEVED.check(TOPIC, PAYLOAD, properties) == OURS.key_id


@given(position=st.integers(0, len(PAYLOAD) - 1), bit=st.integers(0, 7))
def test_any_changed_bit_of_the_payload_is_seen(position: int, bit: int) -> None:
    changed = bytearray(PAYLOAD)
    changed[position] ^= 1 << bit
    with pytest.raises(BadSignature):
        BELIEVED.check(TOPIC, bytes(changed), OURS.sign(TOPIC, PAYLOAD))


@given(topic=st.text(), payload=st.binary())
def test_a_signature_does_not_move_to_another_message(topic: str, payload: bytes) -> None:
    if (topic, payload) == (TOPIC, PAYLOAD) or any("\ud800" <= letter <= "\udfff" for letter in topic):
        return
    with pytest.raises(BadSignature):
        BELIEVED.check(topic, payload, OURS.sign(TOPIC, PAYLOAD))


def test_a_line_break_moves_nothing_from_the_topic_into_the_payload() -> None:
    signed = OURS.sign("a", b"b\nc")
    with pytest.raises(BadSignature):
        BELIEVED.check("a\nb", b"c", signed)


def test_no_signature_another_key_or_a_foreign_one_is_refused() -> None:
    (name, own), (_, signature) = OURS.sign(TOPIC, PAYLOAD)
    foreign = OTHERS.sign(TOPIC, PAYLOAD)
    with pytest.raises(BadSignature, match="not signed"):
        BELIEVED.check(TOPIC, PAYLOAD, ())
    with pytest.raises(BadSignature, match="not signed"):
        BELIEVED.check(TOPIC, PAYLOAD, ((name, own),))
    with pytest.raises(UnknownKey):
        BELIEVED.check(TOPIC, PAYLOAD, foreign)
    with pytest.raises(BadSignature, match="does not fit"):
        BELIEVED.check(TOPIC, PAYLOAD, ((KEY_ID_PROPERTY, OURS.key_id), foreign[1]))
    with pytest.raises(BadSignature, match="twice"):
        BELIEVED.check(TOPIC, PAYLOAD, (*OURS.sign(TOPIC, PAYLOAD), (SIGNATURE_PROPERTY, signature)))


@pytest.mark.parametrize("text", ["", "!", "A" * 85, "A" * 87, "é" * 86, "A" * 10_000, " " * 86])
def test_a_signature_that_is_none_is_refused_and_not_a_crash(text: str) -> None:
    with pytest.raises(BadSignature):
        BELIEVED.check(TOPIC, PAYLOAD, ((KEY_ID_PROPERTY, OURS.key_id), (SIGNATURE_PROPERTY, text)))


@given(raw=st.binary(min_size=32, max_size=32))
def test_text_of_bytes_reads_back(raw: bytes) -> None:
    assert from_text(to_text(raw), size=32) == raw


def test_a_key_is_kept_as_text_and_says_nothing_of_itself() -> None:
    again = Signer.restore(OURS.secret)
    assert (again.public, again.key_id) == (OURS.public, OURS.key_id)
    assert OURS.secret not in repr(OURS)
    assert key_id(OURS.public) == OURS.key_id


@pytest.mark.parametrize("text", ["", "AAAA", "!" * 43, "A" * 44])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        Signer.restore(text)
    with pytest.raises((BadKey, ValueError)):
        Verifier.of([text])


def test_another_implementation_of_the_same_algorithm_agrees() -> None:
    ours = Signer.generate()
    theirs = Ed25519PrivateKey.from_private_bytes(from_text(ours.secret, size=32))
    public = Ed25519PublicKey.from_public_bytes(from_text(ours.public, size=32))
    (_, (_, signature)) = ours.sign(TOPIC, PAYLOAD)
    public.verify(from_text(signature, size=64), signed_bytes(TOPIC, PAYLOAD))
    said = (
        (KEY_ID_PROPERTY, ours.key_id),
        (SIGNATURE_PROPERTY, to_text(theirs.sign(signed_bytes(TOPIC, PAYLOAD)))),
    )
    assert Verifier.of([ours.public]).check(TOPIC, PAYLOAD, said) == ours.key_id


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)], ids=["order 4", "the neutral one"])
def test_a_key_under_which_one_signature_fits_everything_is_not_believed(point: bytes) -> None:
    public = to_text(point)
    fits_all = to_text(b"\x01" + bytes(63))  # R the neutral point, s zero
    said = ((KEY_ID_PROPERTY, key_id(public)), (SIGNATURE_PROPERTY, fits_all))
    with pytest.raises(BadSignature):
        Verifier.of([public]).check(TOPIC, PAYLOAD, said)
