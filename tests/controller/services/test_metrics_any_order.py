"""Whatever comes when, and wherever the program is killed: the same rows, as computed by hand."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.services import devices, metrics
from controller.services.metrics import Sample
from controller.services.retention import COARSE, FINE
from tests.controller.services.measured import LONG_AFTER, a_sample, condense, pieces, rows
from tests.databases import Databases
from tests.factories import ADMIN, NOON, a_place, later


def brute(
    samples: list[Sample], seconds: int
) -> dict[tuple[str, str, datetime], tuple[int, object, float, float]]:
    """The same by hand."""
    found: dict[tuple[str, str, datetime], list[Sample]] = {}
    for each in samples:
        start = NOON + (each.at - NOON) // timedelta(seconds=seconds) * timedelta(seconds=seconds)
        found.setdefault((each.device_id, each.measure, start), []).append(each)
    return {
        key: (
            sum(each.count for each in held),
            pytest.approx(sum(each.mean * each.count for each in held) / sum(each.count for each in held)),
            min(each.low for each in held),
            max(each.high for each in held),
        )
        for key, held in found.items()
    }


SAMPLES = st.builds(
    a_sample,
    st.integers(0, 2 * 3600 - 1).map(float),
    st.integers(-50, 150).map(float),
    device_id=st.sampled_from(("laptop", "nas")),
    measure=st.sampled_from(("cpu", "memory")),
    count=st.integers(1, 4),
)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(SAMPLES, st.integers(0, 3)), min_size=1, max_size=20),
    st.lists(st.integers(0, 12), min_size=4, max_size=4),
)
def test_killed_anywhere_and_late_or_not_the_rows_are_the_same(
    sqlite_databases: Databases, wanted: list[tuple[Sample, int]], killed_after: list[int]
) -> None:
    """Each sample comes in one of four rounds; after each, condensing is killed after so many pieces of work."""
    of_place = {(each.device_id, each.measure, each.at): (each, turn) for each, turn in wanted}
    with Session(sqlite_databases.writer) as session, session.begin():
        for device_id in ("laptop", "nas"):
            devices.add(session, a_place(device_id), actor=ADMIN, now=NOON)
        session.flush()
        for turn, so_many in enumerate(killed_after):
            metrics.record(session, [each for each, comes in of_place.values() if comes == turn])
            for _ in zip(range(so_many), pieces(session, LONG_AFTER), strict=False):
                pass
        metrics.record(session, [a_sample(3 * 3600.0, measure="end")])  # what was before is over
        condense(session, later(5 * 3600))
        found = {seconds: rows(session, seconds) for seconds in (FINE, COARSE)}
        session.rollback()

    samples = [each for each, _ in of_place.values()]
    for seconds in (FINE, COARSE):
        there = {each[:3]: each[3:] for each in found[seconds] if each[1] != "end"}
        assert there == brute(samples, seconds)
