"""Full-text search: what is found, by whom, in which order, and alike on both databases."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlmodel import Session, col, select

from controller.errors import InvalidArguments, InvalidCursor
from controller.services import audit, conversations, devices, events, memories, search
from controller.services.actors import Actor, Role
from controller.services.memories import NewMemory, Place, Scope, Source
from controller.services.search import Hit, Kind, Query
from controller.store import fulltext
from controller.store.tables import AuditEntry, EventRow
from schemas.commands import Via
from tests.databases import Databases
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, a_place, an_event, later

LATE = later(86_400)


def found(session: Session, text: str, *, actor: Actor = ADMIN, limit: int = 200, **only: Any) -> list[Hit]:
    """What a search shows."""
    session.flush()
    return search.find(session, Query(text, **only), actor=actor, now=LATE, limit=limit).hits


def titles(session: Session, text: str, *, actor: Actor = ADMIN, **only: Any) -> list[str]:
    return [hit.title for hit in found(session, text, actor=actor, **only)]


def noted(session: Session, action: str, seconds: float = 0, **more: Any) -> None:
    audit.record(session, action, now=later(seconds), **more)


def remembered(session: Session, key: str, value: Any, **more: Any) -> None:
    more = {"place": memories.own(ADMIN)} | more
    actor = more.pop("actor", ADMIN)
    memories.remember(session, NewMemory(key, value, **more), actor=actor, now=NOON)


def said(session: Session, role: str, content: str, *, actor: Actor = ADMIN) -> None:
    row = conversations.begin(session, actor=actor, now=NOON)
    session.flush()
    conversations.say(session, row, role, content, now=NOON)
    session.flush()


def test_each_kind_is_found_by_what_it_says(session: Session) -> None:
    devices.add(session, a_place("nas"), actor=ADMIN, now=NOON)
    noted(session, "command.denied", device_id="nas", detail={"reason": "geen rechten"})
    events.store(session, "nas", an_event(type="low_disk_space", data={"path": "/srv/films"}), now=NOON)
    said(session, "user", "Zet de lamp in de hal aan")
    remembered(session, "nas-place", {"where": "in de meterkast"}, tags=("opslag",), category="plaats")

    assert titles(session, "rechten") == titles(session, "DENIED nas") == ["command.denied"]
    assert titles(session, "low_disk_space films") == ["low_disk_space, warning"]
    assert titles(session, "lamp hal") == ["said by ada"]
    for words in ("meterkast", "where", "opslag", "plaats", "nas-place"):
        assert titles(session, words, kinds=(Kind.MEMORY,)) == ["nas-place"]
    assert titles(session, "lamp rechten") == []


@pytest.mark.parametrize(
    ("said_so", "asked"),
    [
        ("meterkast", "meterkasten"),
        ("meterkasten", "meterkast"),
        ("printer", "printing"),
        ("printed", "printers"),
        ("mappen", "map"),
        ("schijf", "schijven"),
        ("Café", "cafe"),
        ("cafe", "CAFÉ"),
        ("cafe\u0301", "café"),
        ("/home/ada/foto.jpg", "foto"),
        ("low_disk_space", "disk"),
        ("werk-pc", "werk-pc"),
        ("192.168.1.20", "192.168.1.20"),
        ('"quoted"', "quoted"),
        ("Ærø", "ærø"),
        ("한글", "한글"),
        ("a😀b", "b"),
    ],
)
def test_a_word_is_found_in_its_other_forms_and_spellings(session: Session, said_so: str, asked: str) -> None:
    said(session, "user", f"voor {said_so} na")
    remembered(session, "thing", [said_so])

    assert {hit.kind for hit in found(session, asked)} == {Kind.MESSAGE, Kind.MEMORY}
    assert all(hit.found for hit in found(session, asked))


@pytest.mark.parametrize("settled", [False, True])  # by the index, or before it took the rows
def test_what_was_taken_back_or_changed_is_not_found(session: Session, settled: bool) -> None:
    noted(session, "command.unicorn")
    events.store(session, "nas", an_event("e1", type="unicorn"), now=NOON)
    events.store(session, "pc", an_event("e1", type="unicorn"), now=NOON)
    for number in range(300 if settled else 0):
        noted(session, "filler", number)
    assert len(found(session, "unicorn")) == 3

    connection = session.connection()
    connection.execute(delete(EventRow).where(col(EventRow.device_id) == "nas"))
    row = session.exec(select(AuditEntry).where(AuditEntry.action == "command.unicorn")).one()
    row.action = "command.pegasus"
    session.flush()

    assert [hit.device_id for hit in found(session, "unicorn")] == ["pc"]
    assert titles(session, "pegasus") == ["command.pegasus"]
    if connection.dialect.name == "sqlite":
        check = "INSERT INTO search_index (search_index, rank) VALUES ('integrity-check', 0)"
        connection.exec_driver_sql(check)


def test_what_is_forgotten_leaves_no_word_behind(session: Session) -> None:
    remembered(session, "secret", "chrysanthemum")
    for number in range(300):
        noted(session, "filler", number)
    assert titles(session, "chrysanthemum") == ["secret"]

    memories.forget(session, "secret", memories.own(ADMIN), actor=ADMIN, now=NOON)
    session.flush()

    assert found(session, "chrysanthemum") == []
    connection = session.connection()
    rows = connection.exec_driver_sql("SELECT words FROM search").scalars().all()
    if connection.dialect.name == "sqlite":
        rows = [*rows, *connection.exec_driver_sql("SELECT block FROM search_index_data").scalars()]
    assert not any("chrysanth" in str(each) for each in rows)


def test_what_has_expired_is_not_found_and_keeps_no_page_short(session: Session) -> None:
    for number in range(30):
        remembered(session, f"kept {number}", "orchid")
    for number in range(30):
        remembered(session, f"over {number}", "orchid", expires_at=later(60))

    page = search.find(session, Query("orchid"), actor=ADMIN, now=LATE, limit=20)

    assert [hit.title for hit in page.hits] == [f"kept {number}" for number in range(29, 9, -1)]


def test_pages_show_each_row_once_and_the_newest_first(session: Session) -> None:
    for number in range(700):
        noted(session, "command.sent" if number % 3 else "command.failed", number, detail={"n": number})
    shown: list[Any] = []
    cursor = None
    while True:
        page = search.find(session, Query("failed"), actor=ADMIN, now=LATE, limit=37, cursor=cursor)
        shown += [hit.at for hit in page.hits]
        if (cursor := page.next) is None:
            break
        noted(session, "command.failed", 9_000)  # what comes meanwhile moves nothing

    assert shown == [later(number) for number in range(699, -1, -3)]


def test_a_page_ends_when_it_took_long_and_says_where_to_go_on(session: Session) -> None:
    noted(session, "command.unicorn")
    session.flush()
    connection = session.connection()
    connection.exec_driver_sql(  # as if a million rows had come and gone
        "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'search'"
        if connection.dialect.name == "sqlite"
        else "SELECT setval('search_number_seq', 1000000)"
    )
    noted(session, "command.unicorn")
    session.flush()
    hurried = partial(search.find, session, Query("unicorn"), actor=ADMIN, now=LATE, patience_s=0.0)

    page = hurried(limit=1)
    shown = list(page.hits)
    pages = 1
    while page.next is not None:
        page = hurried(limit=20, cursor=page.next)
        shown += page.hits
        pages += 1

    assert len(shown) == 2
    assert pages > 1


def test_kind_device_and_time_narrow_it(session: Session) -> None:
    for number, device_id in enumerate(("nas", "werk-pc") * 5):
        noted(session, "thing.noticed", number * 60, device_id=device_id)
        events.store(session, device_id, an_event(f"e{number}", type="thing_noticed"), now=later(number * 60))

    def count(**only: Any) -> int:
        return len(found(session, "noticed", **only))

    assert count() == 20
    assert count(kinds=(Kind.EVENT,)) == count(kinds=(Kind.AUDIT, Kind.MESSAGE)) == 10
    assert count(device_id="werk-pc") == 10
    assert count(device_id="werk-pc", kinds=(Kind.AUDIT,)) == 5
    assert count(device_id="werk") == 0
    assert count(since=later(300)) == 10
    assert count(until=later(300)) == 10
    assert count(since=later(60), until=later(120)) == 2
    assert count(since=LATE) == count(until=NOON) == 0


def test_a_clock_that_was_set_back_hides_nothing(session: Session) -> None:
    for seconds in (0, 100, 200, 50, 60, 300):
        noted(session, "thing.noticed", seconds, detail={"n": seconds})

    times = [hit.at for hit in found(session, "noticed", since=later(50), until=later(150))]

    assert sorted(times) == [later(50), later(60), later(100)]


def test_nobody_finds_what_they_may_not_see(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    for actor in (ADMIN, OPERATOR):
        remembered(session, f"of {actor.user}", "orchid", actor=actor, place=memories.own(actor))
        said(session, "user", f"orchid of {actor.user}", actor=actor)
        talk = conversations.listed(session, actor=actor, user=actor.user)[0]
        place = Place(Scope.SESSION, talk.id)
        remembered(session, f"in the talk of {actor.user}", "orchid", actor=actor, place=place)
    remembered(session, "everybody's", "orchid", place=Place(Scope.GLOBAL))
    remembered(session, "the laptop's", "orchid", place=Place(Scope.DEVICE, "laptop"))

    events.store(session, "nas", an_event(type="orchid"), now=NOON)
    noted(session, "request.received", actor=ADMIN, detail={"text": "orchid"})
    noted(session, "request.received", actor=OPERATOR, detail={"text": "orchid"})

    everybodys = {"everybody's", "the laptop's", "orchid, warning"}
    own = {"of otto", "in the talk of otto", "said by otto", "request.received"}
    assert set(titles(session, "orchid", actor=VIEWER)) == everybodys
    assert set(titles(session, "orchid", actor=OPERATOR)) == everybodys | own
    assert set(titles(session, "orchid")) > everybodys | own
    assert len(found(session, "orchid", actor=OPERATOR)) == len(everybodys | own)
    assert len(found(session, "orchid")) == 11


def test_words_that_are_no_persons_are_told(session: Session) -> None:
    events.store(session, "nas", an_event(type="orchid"), now=NOON)
    said(session, "user", "orchid typed")
    said(session, "tool", "orchid read")
    said(session, "user", "orchid by the broker", actor=Actor("ada", Role.ADMIN, Via.MQTT))
    remembered(session, "typed", "orchid")
    remembered(session, "heard", "orchid", source=Source.DEVICE)

    trusted = {(hit.kind.value, hit.text) for hit in found(session, "orchid") if not hit.untrusted}

    assert trusted == {("message", "orchid typed"), ("memory", "orchid")}
    assert len(found(session, "orchid")) == 6


def test_a_long_text_is_shown_around_the_word(session: Session) -> None:
    said(session, "tool", "blah " * 500 + "the orchid wilts " + "blah " * 500)

    (hit,) = found(session, "orchids")

    assert hit.found == ("orchid",)
    assert "the orchid wilts" in hit.text
    assert len(hit.text) < 250


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no word"),
        ("   ", "no word"),
        ('"*():^-+', "no word"),
        ("😀", "no word"),
        ("\0", "no word"),
        ("\ue000", "no word"),
        ("word " * 9 + "a b c d e f g h", "at most 8 words"),
        ("x" * 101, "at most 100 characters"),
        ("x" * 10_000, "at most 500 characters"),
    ],
)
def test_what_cannot_be_looked_up_is_said(session: Session, text: str, complaint: str) -> None:
    with pytest.raises(InvalidArguments, match=complaint):
        found(session, text)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "\u0661", "9" * 30, "1 OR 1"])
def test_what_is_no_cursor_is_refused(session: Session, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        search.find(session, Query("a"), actor=ADMIN, now=LATE, cursor=cursor)


@pytest.mark.parametrize(
    "text",
    [
        "orchid AND", "NEAR(orchid rose)", 'orchid" OR "rose', "orchid*", "words:orchid", "-orchid", "orchid & !rose",
        "orchid'); DROP TABLE search; --", "orchid\\", "{orchid}", "orchid\0rose", "%", "orchid:*", "\ud800 orchid",
    ],
)  # fmt: skip
def test_operators_mean_nothing(session: Session, text: str) -> None:
    said(session, "user", "orchid")

    if text == "%":
        with pytest.raises(InvalidArguments):
            found(session, text)
    else:
        alone = {"orchid"} == set(fulltext.tokens(text))
        assert [hit.text for hit in found(session, text)] == (["orchid"] if alone else [])


def test_what_marks_a_kind_cannot_be_said(session: Session) -> None:
    said(session, "user", "orchid \ue000kaudit \ue000b0 \ue000d6E6173")

    assert found(session, "orchid", kinds=(Kind.AUDIT,)) == []
    assert found(session, "orchid", device_id="nas") == []
    assert len(found(session, "orchid")) == 1


@pytest.mark.parametrize(
    "data", [{"x": "a\0b"}, {"x" * 500: 1}, {"x": "y" * 50_000}, {"x": [[[[[]]]]]}, {"": ""}, {"x": "\ud7ff\ue000"}]
)  # fmt: skip
def test_no_text_keeps_an_event_from_being_stored(session: Session, data: dict[str, Any]) -> None:
    assert events.store(session, "nas", an_event(type="orchid", data=data), now=NOON)
    assert titles(session, "orchid") == ["orchid, warning"]


WITHOUT_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]  # two databases take too long for it
WORDS = st.text(st.sampled_from("abeéEÉüø0_- ./\"'\\\n\t{}:,*😀²ﬁİß\u0301한"), max_size=12)
VALUES = st.recursive(
    WORDS | st.integers(-99, 99) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def both(sqlite_databases: Databases, postgresql_databases: Databases) -> list[Databases]:
    return [sqlite_databases, postgresql_databases]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], phases=WITHOUT_SHRINKING)
@given(texts=st.lists(st.tuples(WORDS, VALUES), min_size=1, max_size=6), asked=st.lists(WORDS, max_size=4))
def test_both_databases_find_the_same(
    both: list[Databases], texts: list[tuple[str, Any]], asked: list[str]
) -> None:
    queries = [*asked, *(word for text, _ in texts for word in fulltext.tokens(text))]
    answers = []
    with ExitStack() as stack:
        for databases in both:
            session = stack.enter_context(Session(databases.writer, expire_on_commit=False))
            stack.enter_context(session.begin())
            for number, (text, value) in enumerate(texts):
                said(session, "user", text)
                events.store(session, "nas", an_event(f"e{number}", type="t", data={"x": value}), now=NOON)
            answers.append([_told(session, query) for query in queries])
            session.rollback()
    assert answers[0] == answers[1]


def _told(session: Session, query: str) -> Any:
    try:
        return [
            (hit.kind, hit.reference.get("event_id"), hit.text if hit.kind is Kind.MESSAGE else None)
            for hit in found(session, query)
        ]
    except InvalidArguments as error:
        return str(error)
