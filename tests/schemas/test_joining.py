"""A join code reads back however it is typed, and what is derived from it serves one purpose each."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.joining import BadCode, JoinCode, is_proven, prove

CA = hashlib.sha256(b"an authority").digest()
CODE = JoinCode.make(CA)
TOPIC = f"orion/v1/join/{CODE.invite_id}/request"


def test_a_code_reads_back() -> None:
    assert JoinCode.read(CODE.text) == CODE


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text.replace("-", " "), lambda text: f"  {text}\n"]
)
def test_how_it_is_typed_does_not_matter(change: object) -> None:
    assert callable(change)
    assert JoinCode.read(change(CODE.text)) == CODE


@given(position=st.integers(0, 88), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_every_wrong_letter_is_a_typing_error(position: int, letter: str) -> None:
    letters = CODE.text.replace("-", "")
    changed = letters[:position] + letter + letters[position + 1 :]
    if changed != letters:
        with pytest.raises(BadCode):
            JoinCode.read(changed)


@given(text=st.text(max_size=200))
def test_any_other_text_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadCode) as refused:
        JoinCode.read(text)
    assert len(text) < 12 or text not in str(refused.value)


def test_two_codes_share_nothing() -> None:
    other = JoinCode.make(CA)
    assert {CODE.invite_id, CODE.password, CODE.proof_key}.isdisjoint(
        {other.invite_id, other.password, other.proof_key}
    )


def test_neither_password_nor_proof_tells_the_other_or_the_secret() -> None:
    assert len({CODE.secret.hex(), CODE.password, CODE.proof_key}) == 3
    assert CODE.password not in repr(CODE)
    assert CODE.secret.hex() not in repr(CODE)
    assert str(CODE.secret) not in repr(CODE)


def test_a_proof_holds_for_one_message_and_one_code() -> None:
    proof = prove(CODE.proof_key, TOPIC, b"{}")
    assert is_proven(CODE.proof_key, TOPIC, b"{}", proof)
    assert not is_proven(CODE.proof_key, TOPIC, b"{ }", proof)
    assert not is_proven(CODE.proof_key, TOPIC + "x", b"{}", proof)
    assert not is_proven(JoinCode.make(CA).proof_key, TOPIC, b"{}", proof)
    assert not is_proven(CODE.proof_key, TOPIC, b"{}", ())
    assert not is_proven(CODE.proof_key, TOPIC, b"{}", (*proof, *proof))
    assert not is_proven(CODE.proof_key, TOPIC, b"{}", (("proof", "short"),))
