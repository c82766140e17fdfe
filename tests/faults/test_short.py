"""The short form of `make faults`: every named moment once, and the proof that it can go red."""

import asyncio
import dataclasses
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.faults import plan as plans
from tests.faults import points, report
from tests.faults.campaign import Outcome, carry_out
from tests.faults.sabotage import SABOTAGES
from tests.faults.zygote import Zygote, zygote

SEED = 7  # what decides whether a change lands must not depend on chance


def a_seed() -> int:
    return SEED if os.environ.get("CI") else secrets.randbelow(1_000_000)


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    with databases.migrated() as url:
        yield url


async def test_nothing_is_lost_doubled_or_lied_about_whatever_is_killed(
    tmp_path: Path, database: str
) -> None:
    async with zygote() as driver:
        outcome = await carry_out(driver, plans.make(a_seed(), plans.SHORT), tmp_path, database=database)

    assert outcome.judgement.green, report.of(outcome)
    reached = [name for name in outcome.kills if name.partition(": ")[2] in points.POINTS]
    assert len(reached) >= len(points.POINTS) / 2, report.of(outcome)  # a slow machine runs out of time


async def test_the_judgement_goes_red_for_each_pillar_that_is_taken_away(tmp_path: Path) -> None:
    async with zygote() as driver, asyncio.TaskGroup() as group:
        running = {
            name: group.create_task(sabotaged(driver, name, tmp_path / name), name=name) for name in SABOTAGES
        }

    for name, sabotage in SABOTAGES.items():
        outcome = running[name].result()
        assert any(sabotage.found_as in fault for fault in outcome.judgement.faults), (
            f"{name}\n{report.of(outcome)}"
        )


async def sabotaged(driver: Zygote, name: str, folder: Path) -> Outcome:
    await asyncio.to_thread(folder.mkdir)
    size = dataclasses.replace(plans.PROBE, only=SABOTAGES[name].points)
    return await carry_out(driver, plans.make(SEED, size), folder, sabotage=name)


def test_every_point_of_the_table_exists_in_the_product() -> None:
    points.check()


def test_a_point_that_has_gone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = points.Point(points.Moment("device_node.journal", "Journal", "remember"))
    monkeypatch.setitem(points.POINTS, "gone", gone)

    with pytest.raises(points.NoSuchPoint, match="gone"):
        points.check()


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plans.make(3, plans.LONG) == plans.make(3, plans.LONG)
    assert plans.make(3, plans.LONG) != plans.make(4, plans.LONG)


def test_the_long_plan_holds_what_was_promised() -> None:
    plan = plans.make(1, plans.LONG)

    assert plan.kills >= 300
    for name in points.POINTS:
        assert sum(life.point == name for lives in plan.lives.values() for life in lives) >= 5
