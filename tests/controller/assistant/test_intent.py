"""Questions are told from requests, and Dutch from English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.assistant.intent import is_question, language_of


@pytest.mark.parametrize(
    "text",
    [
        "Is the disk full?",
        "is de schijf vol",
        "wat staat er in de map Test",
        "What is in the folder Test on my laptop?",
        "hoeveel ruimte is er nog",
        "welke apparaten zijn online?",
        "which devices are online",
        "Hoe verwijder ik een map?",
        "How do I delete a folder",
        "Mag ik de map verwijderen?",
        "Should I delete it?",
        "Heb je de map verwijderd?",
        "did you delete it",
        "Verwijder de map Test?",
        "Kun je zien of de schijf vol is?",
        "can you tell me what is in the folder Test?",
        "Zou je me kunnen vertellen wat er in de map staat?",
        "staat de server aan",
        "draait nginx op de server",
        "Hallo, is de laptop online?",
        "what's on my laptop",
        "waarom is de map weg",
        "zal ik de map verwijderen?",
        "“Is the disk full?”",
    ],
)
def test_a_question_is_a_question(text: str) -> None:
    assert is_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "Maak een map Test op mijn laptop",
        "Kun je een map Test maken?",
        "kunt u de map Test verwijderen?",
        "Wil je de laptop herstarten?",
        "could you please delete the folder Test?",
        "Can you create a folder?",
        "Would you mind restarting the server?",
        "Hi, can you restart the server?",
        "hi there, would you be able to restart the server?",
        "goeiemorgen, kan jij de server herstarten?",
        "please delete it",
        "ik wil een map Test",
        "I want a folder",
        "list the files in Test",
        "toon de bestanden",
        "Open Firefox!",
        "zet de laptop uit",
        "",
        "   ",
    ],
)
def test_a_request_is_no_question(text: str) -> None:
    assert not is_question(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Maak een folder Test op mijn laptop", "nl"),
        ("Create a folder Test on my laptop", "en"),
        ("What is in the folder Test?", "en"),
        ("wat zit er in Test", "nl"),
        ("verwijder Test", "nl"),
        ("delete Test", "en"),
        ("herstart de server", "nl"),
        ("over 5 min de laptop herstarten", "nl"),
        ("reboot", "en"),
        ("Hernoem a.txt", "nl"),
        ("verwijder 'the file of the day'", "nl"),
        ("delete /home/een/map/op/de", "en"),
        ("reboot the server", "en"),
        ("hallo", "nl"),
        ("", "en"),
        ("Create een map op mijn laptop", "nl"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert language_of(text) == language


@given(st.text(max_size=400))
def test_any_text_has_an_answer(text: str) -> None:
    assert language_of(text) in {"nl", "en"}
    assert is_question(text) in {True, False}
