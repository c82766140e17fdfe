"""The other forms of a word, in Dutch and in English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.services.search.forms import MAX_FORMS, forms

PAIRS = """
meterkast meterkasten, map mappen, mapje map, bestand bestanden, schijf schijven, huis huizen, deel delen, loop lopen,
lees lezen, groot grote, melding meldingen, meld meldingen, lamp lampen, deur deuren, schakelaar schakelaars, foto fotos,
batterij batterijen, print printing, printer printing, printer printers, box boxes, stop stopped, stop stopping,
cache caching, cached cache, memory memories, fail failing, failed failing, setting settings, device devices, scan scanner,
scanning scanner, warning warnings, update updating, key keys
"""


@pytest.mark.parametrize("pair", PAIRS.replace("\n", " ").split(", "))
def test_a_word_and_its_other_form_find_each_other(pair: str) -> None:
    one, other = pair.split()

    assert other in forms(one)
    assert one in forms(other)


@pytest.mark.parametrize(
    ("one", "other"), [("water", "wat"), ("poster", "post"), ("glass", "glas"), ("des", "de")]
)
def test_words_that_only_look_alike_do_not(one: str, other: str) -> None:
    assert other not in forms(one)


@pytest.mark.parametrize("word", ["a", "pc", "3d", "192", "한글", "café", "x" * 41, ""])
def test_what_is_no_plain_word_has_no_other_form(word: str) -> None:
    assert forms(word) == (word,)


@given(st.text("abdefilnoprstuvyz", min_size=1, max_size=45))
def test_the_word_itself_comes_first_and_there_are_not_many(word: str) -> None:
    found = forms(word)

    assert found[0] == word
    assert len(set(found)) == len(found) <= MAX_FORMS
    assert all(each.isascii() and each.isalpha() for each in found)
