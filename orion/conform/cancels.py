"""Cancels: before their command, after it, and too late themselves."""

from orion.conform import orders
from orion.conform.examination import Examination
from orion.conform.findings import Verdict, broken, passed, untried


async def before(examination: Examination) -> Verdict:
    """A cancel that overtakes its command wins."""
    command = examination.command()
    await examination.cancel(command["id"])
    final = await examination.ask(command)
    if final is None:
        return broken(f"a command that was cancelled before it came: {orders.silent(examination)}")
    status = final.said.get("status")
    return passed() if status == "cancelled" else broken(f"its command was {status}")


async def after(examination: Examination) -> Verdict:
    """A cancel after the end brings the final reply again."""
    command = examination.command()
    first = await examination.ask(command)
    if first is None:
        return untried(orders.silent(examination))
    mark = await examination.cancel(command["id"])
    again = await examination.final(command, after=mark)
    if again is None:
        return broken(f"a cancel after the end: {orders.silent(examination)}")
    if again.said.get("status") == first.said.get("status"):
        return passed()
    return broken(f"{first.said.get('status')} became {again.said.get('status')}")


async def expired(examination: Examination) -> Verdict:
    """A cancel whose time is over cancels nothing."""
    command = examination.command()
    await examination.cancel(command["id"], lasts_s=-3600.0)
    final = await examination.ask(command)
    if final is None:
        return broken(orders.silent(examination))
    status = final.said.get("status")
    return broken("it cancelled a command all the same") if status == "cancelled" else passed()
