"""Text from elsewhere: nothing hidden, nothing that steers a terminal, nothing without end."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from controller.assistant import sanitize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext\nnext", "plain\ttext\nnext"),
        ("a\x1b[31mred\x07\x00\x7f\x9b", "a[31mred"),
        ("a\u202egnp.exe\u2066\u200b\u200d\ufeff", "agnp.exe"),
        ("one\r\ntwo\rthree\u2028four\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("\uff0e\uff0e\uff0fetc", "../etc"),
        ("\ud800a", "a"),
        ("tag\U000e0041\U000e0042", "tag"),
        ("va\ufe0f\U000e0101lue\u3164", "value"),
        ("cafe\u0301", "caf\u00e9"),
        ("e\u200b\u0301", "\u00e9"),
    ],
)
def test_what_hides_or_steers_is_removed(text: str, expected: str) -> None:
    assert sanitize.clean(text, 100) == expected


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert sanitize.clean("x" * 11, 10) == "x" * 7 + "..."
    assert sanitize.clean("x" * 10, 10) == "x" * 10


def test_one_line_is_one_line() -> None:
    assert sanitize.one_line("  a\n\n b\u2029c ", 100) == "a b c"


def test_an_expanding_character_does_not_expand_the_limit() -> None:
    assert len(sanitize.clean("\ufdfa" * 10, 10)) == 10


@given(st.text(st.characters(), max_size=60), st.integers(1, 40))
def test_clean_text_is_visible_bounded_and_stays_so(text: str, limit: int) -> None:
    cleaned = sanitize.clean(text, limit)

    assert len(cleaned) <= limit
    assert sanitize.clean(cleaned, limit) == cleaned
    assert unicodedata.is_normalized("NFKC", cleaned)
    assert all(character in "\n\t" or unicodedata.category(character)[0] != "C" for character in cleaned)


def test_a_value_within_the_limit_is_kept_as_it_is() -> None:
    value: JsonValue = {"a": [1, 2.5, True, None, "x"], "b": {}}

    assert sanitize.bounded(value, 1000) == (value, False)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"a": "x" * 50}, {"a": "x" * 12 + "..."}),
        ({"first": 1, "next": "y" * 20, "third": 3}, {"first": 1, "next": "..."}),
        ({"a": [1] * 50}, {"a": [1] * 5}),
        ({"a": 1, "\u200ba": 2}, {"a": 2}),
    ],
)
def test_what_is_over_the_limit_is_left_out_from_the_end(value: JsonValue, kept: JsonValue) -> None:
    assert sanitize.bounded(value, 20) == (kept, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=30,
)


@given(JSON, st.integers(10, 200))
def test_any_value_is_bounded(value: JsonValue, limit: int) -> None:
    kept, is_cut = sanitize.bounded(value, limit)

    assert type(kept) is type(value)
    assert is_cut or len(str(kept)) <= 4 * limit + 100


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("ends in a blank ", "'ends in a blank '"),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 7 + "..."),
        ("xxxxxxxxxx y", "xxxxxxx..."),  # the blank at which it is cut is not its end
        (" xxxxxxxxxxxx", "' xxxxxx...'"),
        ("\x1b\x1b\x1b", "\\x1b\\x1..."),
    ],
)
def test_what_is_shown_exactly_is_quoted_only_for_blanks_at_its_own_ends(text: str, shown: str) -> None:
    limit = 20 if "ends" in text else 10
    assert sanitize.exact(text, limit) == shown


@given(st.text(), st.integers(4, 40))
def test_what_is_shown_exactly_is_bounded_and_has_no_stray_quote(text: str, limit: int) -> None:
    shown = sanitize.exact(text.replace("'", ""), limit)

    assert len(shown) <= limit + 2
    assert shown.count("'") in (0, 2)
    assert shown == shown.strip()
