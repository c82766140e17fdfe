"""Each thing is looked at when it is due, in order, and never for an outdated reason."""

from hypothesis import given
from hypothesis import strategies as st

from controller.mqtt.agenda import SPARE, Agenda
from tests.factories import NOON, later


def test_what_is_due_comes_out_by_its_moment_and_once() -> None:
    agenda = Agenda()
    for name, seconds in (("late", 9), ("second", 2), ("first", 1), ("same", 2)):
        agenda.put(name, later(seconds))

    assert agenda.due(later(5), most=10) == ["first", "second", "same"]
    assert agenda.due(later(5), most=10) == []
    assert agenda.next_at() == later(9)


def test_a_later_word_replaces_the_earlier() -> None:
    agenda = Agenda()
    agenda.put("a", later(1))
    agenda.put("a", later(50))

    assert agenda.due(later(10), most=10) == []
    assert agenda.next_at() == later(50)


def test_no_more_come_out_than_asked_for() -> None:
    agenda = Agenda()
    for number in range(5):
        agenda.put(str(number), NOON)

    assert agenda.due(NOON, most=2) == ["0", "1"]
    assert agenda.due(NOON, most=0) == []
    assert len(agenda) == 3


def test_changing_a_mind_often_takes_no_room() -> None:
    agenda = Agenda()
    for seconds in range(100_000):
        agenda.put("a", later(seconds))

    assert len(agenda._heap) <= 2 + SPARE


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["put", "drop", "due"]), st.integers(0, 20)),
        max_size=60,
    )
)
def test_it_agrees_with_a_plain_table(steps: list[tuple[str, str, int]]) -> None:
    agenda, table = Agenda(), dict[str, int]()
    for name, what, number in steps:
        if what == "put":
            agenda.put(name, later(number))
            table[name] = number
        elif what == "drop":
            agenda.drop(name)
            table.pop(name, None)
        else:
            due = agenda.due(later(number), most=100)
            assert sorted(due) == sorted(each for each, at in table.items() if at <= number)
            moments = [table.pop(each) for each in due]
            assert moments == sorted(moments)
        assert agenda.next_at() == (later(min(table.values())) if table else None)
