"""Both databases find the same."""

from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.errors import InvalidArguments
from controller.services import events
from controller.services.search import Kind
from controller.store import fulltext
from tests.controller.services.search.findings import found, said
from tests.databases import Databases
from tests.factories import NOON, an_event

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
