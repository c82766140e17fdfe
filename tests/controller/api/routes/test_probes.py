"""An orchestrator learns whether the program lives and can work, and nobody learns more."""

import asyncio
import threading

import pytest

from controller.api import readiness
from controller.api.readiness import LATE, Check
from controller.services import devices, health
from controller.store import engine
from controller.store.store import READERS, Session
from tests.controller.api.conftest import NO_MODEL, Api
from tests.controller.api.people import as_somebody
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, NOON, a_place


async def test_who_shows_no_token_learns_that_the_program_lives(api: Api) -> None:
    async with as_somebody(api, "nobody's") as stranger:
        answer = await stranger.get("http://orion/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert answer.headers["cache-control"] == "no-store"


async def test_without_its_broker_the_controller_is_unavailable_and_says_which_part_is_ill(api: Api) -> None:
    answer = await api.http.get("http://orion/readyz", headers={"Authorization": ""})

    assert answer.status_code == 503
    found = answer.json()
    assert found["status"] == "unavailable"
    assert list(found["checks"]) == ["broker", "database", "model"]
    assert found["checks"]["broker"]["state"] == "down"
    assert found["checks"]["broker"]["why"]
    assert found["checks"]["database"] == {"state": "ok"}
    assert found["checks"]["model"]["state"] == "down"
    assert NO_MODEL.removeprefix("http://") not in answer.text  # where it is, is nobody's business


async def test_a_database_that_cannot_be_read_is_told(api: Api) -> None:
    await asyncio.to_thread(api.store.close)

    answer = await api.http.get("http://orion/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"state": "down", "why": "It cannot be read now."}


async def test_a_database_that_takes_no_changes_is_told_though_it_can_be_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CHANGES_KEPT", 0.0)
    probes = readiness.Probes(
        api.store, api.app.state.parts.assistant, reached=lambda: True, tasks=api.app.state.parts.tasks
    )
    assert (await probes.look()).troubles["database"] is None

    await asyncio.to_thread(set_read_only, api.store, "ON")
    found = await probes.look()

    assert (found.word, found.troubles["database"]) == ("unavailable", "It takes no changes now.")
    await asyncio.to_thread(set_read_only, api.store, "OFF")
    assert (await probes.look()).troubles["database"] is None


async def test_a_database_that_another_program_has_locked_is_told(api: Api) -> None:
    def hold() -> Session:
        session = Session(engine.writer(api.store.url))
        health.change(session)
        return session

    def let_go(session: Session) -> None:
        bound = session.get_bind().engine
        session.close()
        bound.dispose()

    holding = await asyncio.to_thread(hold)
    try:
        answer = await api.http.get("http://orion/readyz")
    finally:
        await asyncio.to_thread(let_go, holding)

    assert answer.json()["checks"]["database"] == {"state": "down", "why": LATE}


async def test_what_was_changed_a_moment_ago_is_proof_enough(api: Api) -> None:
    await api.store.write(lambda session: devices.add(session, a_place("nas"), actor=ADMIN, now=NOON))
    before = api.store.took_at

    answer = await api.http.get("http://orion/readyz")

    assert answer.json()["checks"]["database"] == {"state": "ok"}
    assert api.store.took_at == before


async def test_a_database_that_does_not_answer_keeps_nobody_waiting(api: Api) -> None:
    over = threading.Event()

    def hang(_session: Session) -> None:
        over.wait(30)

    stuck = [asyncio.create_task(api.store.ask(hang)) for _ in range(READERS)]
    try:
        answer = await api.http.get("http://orion/readyz")
    finally:
        over.set()
        await asyncio.gather(*stuck)

    assert answer.json()["checks"]["database"] == {"state": "down", "why": LATE}


async def test_many_who_ask_at_once_and_soon_after_are_served_by_one_look() -> None:
    looks = 0

    async def look() -> str | None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return "It is ill."

    async with asyncio.TaskGroup() as tasks:
        check = Check(look, kept_s=60, within_s=60, tasks=tasks)
        found = await asyncio.gather(*(check.trouble() for _ in range(50)))
        found.append(await check.trouble())

    assert (set(found), looks) == ({"It is ill."}, 1)


async def test_what_was_found_is_looked_at_again_when_it_is_old() -> None:
    findings = iter(["It is ill.", None])

    async def look() -> str | None:
        return next(findings)

    async with asyncio.TaskGroup() as tasks:
        check = Check(look, kept_s=0, within_s=60, tasks=tasks)
        assert [await check.trouble(), await check.trouble()] == ["It is ill.", None]


async def test_a_look_that_takes_long_is_not_begun_twice_and_its_finding_counts() -> None:
    begun, may_end = 0, asyncio.Event()

    async def look() -> str | None:
        nonlocal begun
        begun += 1
        await may_end.wait()
        return None

    async with asyncio.TaskGroup() as tasks:
        check = Check(look, kept_s=60, within_s=0.01, tasks=tasks)
        assert [await check.trouble(), await check.trouble()] == [LATE, LATE]
        may_end.set()
        patient = Check(look, kept_s=60, within_s=60, tasks=tasks)
        assert await patient.trouble() is None
        assert await check.trouble() is None

    assert begun == 2  # one for each of the two checks


async def test_a_look_that_fails_is_a_finding_and_ends_nothing() -> None:
    async def look() -> str | None:
        raise RuntimeError("a defect")

    async with asyncio.TaskGroup() as tasks:
        check = Check(look, kept_s=60, within_s=60, tasks=tasks)
        assert "could not be looked at" in (await check.trouble() or "")
