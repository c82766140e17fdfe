"""What holds for any text at all: no exception, no invention, no change against a denial or a question."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.assistant.candidates import KnownDevice
from controller.assistant.intent import is_question
from controller.assistant.offline import READ_ONLY, Again, Calls, Declined, Plan, Planner, Question

DEVICES = (
    KnownDevice("laptop", "Laptop", ("notebook",), "thinkpad.local", apps=("Firefox",)),
    KnownDevice("werkplaats-pc", "Werkplaats PC", (), None),
    KnownDevice("server", "Server", (), "nas.lan"),
)
PLANNER = Planner()
FIXED = {"", ".", "Orion"}
SENTENCES = [
    row[0]
    for source in sorted(Path(__file__).parent.glob("sentences_*.yaml"))
    for section in yaml.safe_load(source.read_text(encoding="utf-8")).values()
    for row in section
    if len(row) > 1 and row[1] not in {"question", "declined"}
]
DENIALS = ("niet", "not", "never", "geen", "nooit", "don't", "NIET", "Not", "zonder", "neit")
GRAMMAR_WORDS = [
    "maak",
    "map",
    "folder",
    "create",
    "a",
    "een",
    "de",
    "the",
    "my",
    "mijn",
    "op",
    "on",
    "in",
    "met",
    "with",
    "'hallo'",
    '"x',
    'y"',
    "en",
    "and",
    "naar",
    "to",
    "Test",
    "A",
    "notes.txt",
    "~/x",
    "verwijder",
    "delete",
    "rename",
    "hernoem",
    "kopieer",
    "copy",
    "van",
    "from",
    "laptop",
    "server",
    "werkplaats-pc",
    "it",
    "er",
    "daarin",
    ",",
    ".",
    ":",
    "?",
    "please",
    "wat",
    "what",
    "is",
    "staat",
    "zet",
    "open",
    "Firefox",
    "sluit",
    "af",
    "herstart",
    "uit",
    "niet",
    "als",
    "schijf",
    "vol",
    "bestand",
    "file",
    "called",
    "genaamd",
    "foto's",
    "5",
    "/etc",
    "C:\\x",
    "*.txt",
    "🙂",
    "list",
    "show",
    "toon",
    "lees",
    "write",
    "schrijf",
    "'a/b'",
    "lapotp",
    "mapp",
    "verwijdr",
    "then",
    "dan",
    "uit",
    "weg",
    "aan",
    "zijn",
    "alle",
]
soups = st.lists(st.sampled_from(GRAMMAR_WORDS), min_size=1, max_size=18).map(" ".join)
texts = st.one_of(st.text(max_size=320), soups, st.sampled_from(SENTENCES))


# what is to be remembered may say anything, a denial and the name of a device too
HARMLESS = READ_ONLY | {"remember"}


def changing(plan: Plan) -> bool:
    return isinstance(plan, Calls) and any(call.tool not in HARMLESS for call in plan.calls)


@settings(max_examples=600, deadline=None)
@given(texts)
def test_any_text_gets_a_plan(text: str) -> None:
    plan = PLANNER.plan(text, DEVICES, here="laptop")
    assert isinstance(plan, Calls | Question | Declined | Again)
    assert not isinstance(plan, Calls) or plan.calls


@settings(max_examples=600, deadline=None)
@given(texts)
def test_arguments_are_the_persons_own_words(text: str) -> None:
    plan = PLANNER.plan(text, DEVICES, here="laptop")
    for call in plan.calls if isinstance(plan, Calls) else ():
        assert call.device_id in {"", *(device.device_id for device in DEVICES)}
        for name, value in call.arguments.items():
            if not isinstance(value, str) or value in FIXED or name == "device_id":
                continue
            joined = all(part in text for part in re.split(r"[/\\]", value))
            joined = joined or (name == "about" and all(word in text for word in value.split()))
            assert value in text or joined or value.casefold() in text.casefold()


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from([each for each in SENTENCES if not re.search("['\"`\u201c\u2018\u00ab]", each)]),
    st.sampled_from(DENIALS),
    st.data(),
)
def test_a_denial_anywhere_changes_nothing(sentence: str, denial: str, data: st.DataObject) -> None:
    words = sentence.split()
    words.insert(data.draw(st.integers(0, len(words))), denial)
    plan = PLANNER.plan(" ".join(words), DEVICES, here="laptop")
    assert not changing(plan)
    assert not isinstance(plan, Again)


@settings(max_examples=400, deadline=None)
@given(texts)
def test_a_question_changes_nothing(text: str) -> None:
    if is_question(text):
        assert not changing(PLANNER.plan(text, DEVICES, here="laptop"))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SENTENCES))
def test_a_device_that_was_named_is_never_replaced(sentence: str) -> None:
    others = (KnownDevice("zolder", "Zolder", (), None), KnownDevice("keuken", "Keuken", (), None))
    if re.search(r"\b(?:this|deze|dit)\b", sentence, re.IGNORECASE):
        return  # "this laptop" is wherever the person sits
    plan = PLANNER.plan(sentence, others, here="zolder")
    if re.search(
        r"\b(?:laptop|server|notebook|werkplaats-pc|kantoorlaptop|office pc)\b", sentence, re.IGNORECASE
    ):
        assert not changing(plan)


@pytest.mark.parametrize("length", [301, 10_000, 200_000])
def test_long_text_is_declined_unread(length: int) -> None:
    text = ("maak een map Test en " * (length // 21 + 1))[:length]
    assert isinstance(PLANNER.plan(text, DEVICES, here="laptop"), Declined)


@pytest.mark.parametrize(
    "text",
    [
        "maak een map T\x00est",
        "maak een map T\u202eest",
        "maak een map T\u200best",
        "maak een map \x1b[2J",
        "\ue000\ue001",
    ],
)
def test_unseen_characters_are_declined(text: str) -> None:
    assert isinstance(PLANNER.plan(text, DEVICES, here="laptop"), Declined)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "?!...", "🙂🙂", "''", "«»", "-- --"])
def test_text_without_words_is_declined(text: str) -> None:
    assert isinstance(PLANNER.plan(text, DEVICES, here="laptop"), Declined)
