"""Words remember exactly where they stood, quotes and paths are lifted whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.assistant.offline.tokens import PATH, QUOTED, Token, Unreadable, tokens

STOPS = frozenset({"een", "op", "mijn", "a", "the", "on"})


def cuts(text: str, kind: str) -> list[str]:
    return [text[each.start : each.end] for each in tokens(text, STOPS) if each.code == kind]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("map 'Mijn Map' op x", ["Mijn Map"]),
        ('map "a, b en c".', ["a, b en c"]),
        ("map “Œuvre & Co.”", ["Œuvre & Co."]),
        ("map ‘Foto’s van oma’ op", ["Foto’s van oma"]),
        ("map «x y»", ["x y"]),
        ("tekst:'hallo'", ["hallo"]),
        ("map 'foto's van Jan' op", ["foto's van Jan"]),
        ("'a' en \"b\"", ["a", "b"]),
        ("foto's op de pc", []),
        ("'s avonds", []),
        ("`ls -l`", ["ls -l"]),
    ],
)
def test_quotes_are_lifted_whole(text: str, quoted: list[str]) -> None:
    assert cuts(text, QUOTED) == quoted


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("map foto's/2024 op x", ["foto's/2024"]),
        ("lees ~/Documents/a.txt.", ["~/Documents/a.txt"]),
        ("map /etc/orion!", ["/etc/orion"]),
        ("C:\\Users\\x\\A.TXT, dan", ["C:\\Users\\x\\A.TXT"]),
        ("a.txt,b.txt", ["a.txt", "b.txt"]),
        ("delete Test/..", ["Test/.."]),
        ("list ../..", ["../.."]),
        ("zie /srv/data...", ["/srv/data"]),
        ("lees .bashrc", [".bashrc"]),
        ("versie 3.5 nu", []),
        ("a.u.b. nu", []),
        ("doe dit.", []),
    ],
)
def test_paths_are_lifted_whole(text: str, paths: list[str]) -> None:
    assert cuts(text, PATH) == paths


@pytest.mark.parametrize(
    ("text", "reason"), [('map "x', "unclosed"), ("a\x00b", "unreadable"), ("a\u202eb", "unreadable")]
)
def test_what_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        tokens(text, STOPS)
    assert caught.value.reason == reason


def test_a_capital_in_mid_sentence_gives_a_small_word_to_the_name() -> None:
    marked = {each.word: each.stops for each in tokens("maak map Op Reis op laptop", STOPS) if each.upper}
    assert marked == {"op": False, "reis": False}


def test_capitals_everywhere_say_nothing() -> None:
    assert [each.stops for each in tokens("MAAK EEN MAP OP LAPTOP", STOPS)] == [
        False,
        True,
        False,
        True,
        False,
    ]


@given(st.text(max_size=300))
def test_words_stand_in_order_inside_the_text(text: str) -> None:
    try:
        found: list[Token] = tokens(text, STOPS)
    except Unreadable:
        return
    ends = [0]
    for each in found:
        assert ends[-1] <= each.start <= each.end <= len(text)
        ends.append(each.start)
