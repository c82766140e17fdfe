"""What the planner asks and says, and whom it takes to be meant."""

import pytest

from controller.assistant.candidates import KnownDevice
from controller.assistant.offline import READ_ONLY, Calls, Declined, Planner, Question

LAPTOP = KnownDevice("laptop", "Laptop", (), None, apps=("Firefox",))
SERVER = KnownDevice("server", None, (), None)


@pytest.fixture(scope="module")
def planner() -> Planner:
    """One planner for all tests, as the program has it."""
    return Planner()


def device_of(plan: object) -> str:
    assert isinstance(plan, Calls)
    return plan.calls[0].device_id


def test_the_only_device_is_meant_when_none_is_named(planner: Planner) -> None:
    assert device_of(planner.plan("maak een map Test", [LAPTOP])) == "laptop"


def test_the_device_where_the_person_sits_is_meant_when_none_is_named(planner: Planner) -> None:
    assert device_of(planner.plan("maak een map Test", [LAPTOP, SERVER], here="server")) == "server"


def test_of_several_devices_none_is_assumed(planner: Planner) -> None:
    plan = planner.plan("maak een map Test", [LAPTOP, SERVER])
    assert isinstance(plan, Question)
    assert set(plan.options) == {"Laptop (laptop)", "server"}


def test_an_unknown_device_is_asked_about_even_if_there_is_only_one(planner: Planner) -> None:
    plan = planner.plan("create a folder Test on my phone", [LAPTOP], here="laptop")
    assert isinstance(plan, Question)
    assert "phone" in plan.text
    assert plan.options == ("Laptop (laptop)",)


def test_devices_of_the_same_name_are_offered(planner: Planner) -> None:
    twins = [KnownDevice("pc-1", "Pc", (), None), KnownDevice("pc-2", "Pc", (), None), LAPTOP]
    plan = planner.plan("maak een map Test op de pc", twins, here="laptop")
    assert isinstance(plan, Question)
    assert plan.options == ("Pc (pc-1)", "Pc (pc-2)")


def test_without_any_device_the_answer_says_so(planner: Planner) -> None:
    plan = planner.plan("maak een map Test", [])
    assert isinstance(plan, Question)
    assert plan.options == ()


def test_devices_are_listed_even_when_there_are_none(planner: Planner) -> None:
    plan = planner.plan("welke apparaten zijn er?", [])
    assert isinstance(plan, Calls)
    assert plan.calls[0].tool == "list_devices"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("verwijder map Test niet", "Bijvoorbeeld"),
        ("never delete the folder Test", "For example"),
        ("help", "create"),
    ],
)
def test_a_refusal_speaks_the_persons_language_and_gives_examples(
    planner: Planner, text: str, words: str
) -> None:
    plan = planner.plan(text, [LAPTOP])
    assert isinstance(plan, Declined)
    assert words in plan.text
    assert "Laptop" in plan.text


def test_an_application_is_spelled_as_the_device_spells_it(planner: Planner) -> None:
    plan = planner.plan("start firefox", [LAPTOP])
    assert isinstance(plan, Calls)
    assert plan.calls[0].arguments == {"name": "Firefox"}


def test_mended_spelling_is_marked(planner: Planner) -> None:
    mended, plain = planner.plan("verwijdr map Test", [LAPTOP]), planner.plan("verwijder map Test", [LAPTOP])
    assert isinstance(mended, Calls)
    assert isinstance(plain, Calls)
    assert mended.repaired
    assert not plain.repaired
    assert mended.calls == plain.calls


def test_a_device_called_like_the_folder_does_not_swallow_it(planner: Planner) -> None:
    plan = planner.plan("verwijder de map Laptop op mijn laptop", [LAPTOP, SERVER])
    assert isinstance(plan, Calls)
    assert plan.calls[0].arguments == {"path": "Laptop"}


def test_three_thousand_devices_are_no_hindrance(planner: Planner) -> None:
    devices = [KnownDevice(f"machine-{n}", f"Machine {n}", (), None) for n in range(3000)]
    assert device_of(planner.plan("maak een map Test op machine 1234", devices)) == "machine-1234"
    assert isinstance(planner.plan("maak een map Test op machine 4321", devices), Question)


def test_text_without_quotes_is_kept_to_the_letter(planner: Planner) -> None:
    plan = planner.plan("notify my laptop: dinner is ready, come now", [LAPTOP])
    assert isinstance(plan, Calls)
    assert plan.calls[0].arguments["message"] == "dinner is ready, come now"


def test_a_step_behind_text_without_quotes_is_not_guessed(planner: Planner) -> None:
    plan = planner.plan("stuur een melding: sla alles op en verwijder a.txt", [LAPTOP])
    assert isinstance(plan, Declined)
    assert "aanhalingstekens" in plan.text


@pytest.mark.parametrize("text", ["verwijder de foto's", "delete that thing", "move my stuff to Backup"])
def test_what_is_only_described_is_not_changed(planner: Planner, text: str) -> None:
    plan = planner.plan(text, [LAPTOP])
    assert isinstance(plan, Declined)
    assert "“" in plan.text


@pytest.mark.parametrize("text", ["undelete Test", "maybe delete Test", "misschien moet map Test weg"])
def test_an_opposite_or_a_doubt_changes_nothing(planner: Planner, text: str) -> None:
    assert isinstance(planner.plan(text, [LAPTOP]), Declined)


def test_a_service_is_looked_up_as_one_unless_it_is_a_program_of_the_device(planner: Planner) -> None:
    program = KnownDevice("laptop", "Laptop", (), None, apps=("nginx",))
    asked = "is nginx running?"
    service, listed = planner.plan(asked, [LAPTOP]), planner.plan(asked, [program])
    assert isinstance(service, Calls)
    assert isinstance(listed, Calls)
    assert [service.calls[0].tool, listed.calls[0].tool] == ["service_status", "list_processes"]


def test_looking_tools_change_nothing() -> None:
    assert not READ_ONLY & {
        "create_directory",
        "write_file",
        "delete_path",
        "move_path",
        "run_command",
        "notify",
    }
