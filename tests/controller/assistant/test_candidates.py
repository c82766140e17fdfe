"""Devices are found by every name they have, and never mistaken for one another."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.assistant.candidates import KnownDevice, Reading, mentioned, rank

LAPTOP = KnownDevice("laptop", "Jan's Laptop", ("notebook",), "thinkpad.local", groups=("kantoor",))
LAPTOP_2 = KnownDevice("laptop-2", "Kantoorlaptop", (), None)
WORKSHOP = KnownDevice("werkplaats-pc", "Werkplaats PC", (), None, area="Schuur", online=True)
DEVICES = (LAPTOP, LAPTOP_2, WORKSHOP)


def many(count: int) -> list[KnownDevice]:
    return [KnownDevice(f"machine-{n}", f"Machine {n}", (f"m{n}",), f"host{n}.lan") for n in range(count)]


@pytest.mark.parametrize(
    ("phrase", "device"),
    [
        ("laptop", LAPTOP),
        ("Jan's Laptop", LAPTOP),
        ("jans laptop", LAPTOP),
        ("NOTEBOOK", LAPTOP),
        ("thinkpad", LAPTOP),
        ("thinkpad.local", LAPTOP),
        ("laptop 2", LAPTOP_2),
        ("laptop-2", LAPTOP_2),
        ("kantoor laptop", LAPTOP_2),
        ("werkplaats-pc", WORKSHOP),
        ("Werkplaats PC", WORKSHOP),
        ("werkplaatspc", WORKSHOP),
    ],
)
def test_every_name_of_a_device_names_it(phrase: str, device: KnownDevice) -> None:
    mention = mentioned(phrase, DEVICES)
    assert (mention.reading, mention.devices, mention.repaired) == (Reading.ONE, (device,), False)


def test_what_people_call_a_device_goes_before_what_another_calls_itself() -> None:
    nas, liar = KnownDevice("nas", None, (), "nas"), KnownDevice("pump", "Pump", (), "nas.lan")

    assert mentioned("nas", (nas, liar)).devices == (nas,)
    assert mentioned("nas", (liar,)).devices == (liar,)
    assert mentioned("nas.lan", (nas, liar)).devices == (liar,)


@pytest.mark.parametrize("phrase", ["lapotp", "laptpo", "lptop", "werkplats-pc", "werkplaats", "notebok"])
def test_a_slip_or_a_part_of_a_name_is_marked_as_mended(phrase: str) -> None:
    mention = mentioned(phrase, DEVICES)
    assert mention.reading is Reading.ONE
    assert mention.repaired


@pytest.mark.parametrize(
    "phrase", ["laptop-3", "laptop 22", "tablet", "server", "pc", "x", "werkplaats-pv-9"]
)
def test_another_name_is_unknown(phrase: str) -> None:
    assert mentioned(phrase, DEVICES).reading is Reading.UNKNOWN


@pytest.mark.parametrize("phrase", ["", "  ", "...", "'"])
def test_a_phrase_without_words_names_nothing(phrase: str) -> None:
    assert mentioned(phrase, DEVICES).reading is Reading.NONE


def test_a_name_that_two_devices_share_is_several() -> None:
    twins = (KnownDevice("a", "Printer", (), None), KnownDevice("b", "printer", (), None))
    assert mentioned("printer", twins) == mentioned("Printer", twins)
    assert mentioned("printer", twins).devices == twins


def test_two_names_equally_near_are_several() -> None:
    pair = (KnownDevice("kamera", None, (), None), KnownDevice("kamero", None, (), None))
    assert mentioned("kameru", pair).reading is Reading.SEVERAL


def test_the_device_that_a_sentence_names_comes_first() -> None:
    assert rank("maak een map op de werkplaats pc", DEVICES)[0].device is WORKSHOP
    assert rank("create a folder on laptop 2", DEVICES)[0].device is LAPTOP_2
    assert rank("hoe warm is het in de schuur", DEVICES)[0].device is WORKSHOP
    assert rank("alles in kantoor", DEVICES)[0].device is LAPTOP


def test_online_and_lately_used_devices_fill_the_list() -> None:
    used = KnownDevice("used", None, (), None, online=True, last_used_at=datetime(2026, 2, 1, tzinfo=UTC))
    idle = KnownDevice("idle", None, (), None, online=True)
    off = KnownDevice("off", None, (), None)
    assert [each.device for each in rank("hallo", (off, idle, used))] == [used, idle, off]


@pytest.mark.parametrize("count", [0, 1, 5, 500, 3000])
def test_the_list_stays_short_however_many_devices_there_are(count: int) -> None:
    found = rank("maak een map Test op machine-3", many(count))
    assert len(found) == min(count, 8)
    if count > 3:
        assert found[0].device.device_id == "machine-3"


def test_a_misspelt_name_among_thousands_is_found() -> None:
    devices = [*many(3000), KnownDevice("freesbank", "Freesbank", (), None)]
    assert rank("status van de fresbank", devices)[0].device.device_id == "freesbank"


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_ranked_and_resolved(text: str) -> None:
    assert {each.device for each in rank(text, DEVICES)} <= set(DEVICES)
    assert set(mentioned(text, DEVICES).devices) <= set(DEVICES)
