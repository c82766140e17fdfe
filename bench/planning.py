"""The offline planner on plain sentences, beside splitting the same sentences into words."""

import re

from bench.figures import Figure, microseconds
from controller.assistant.candidates import KnownDevice
from controller.assistant.offline import Planner
from schemas import builtin

GOAL = 5_000.0  # µs, p50
WORD = re.compile(r"\w+")
SENTENCES = (
    "Maak een map Foto's op de werkplaats-pc",
    "create a folder Reports on office",
    "wat staat er in Documenten op kantoor?",
    "verwijder oud.txt van de server",
    "is the disk of the server full?",
    "kopieer a.txt naar backup/a.txt op de nas",
    "make a folder A on office and put a file notes.txt in it with 'hello'",
    "vertel eens een mop",
)


def measure() -> list[Figure]:
    """The mean over the sentences, with few and with many devices."""
    planner = Planner()
    return [_with(planner, devices) for devices in (_fleet(5), _fleet(3_000))]


def _with(planner: Planner, devices: list[KnownDevice]) -> Figure:
    def plan_all() -> None:
        for sentence in SENTENCES:
            planner.plan(sentence, devices)

    ours = microseconds(plan_all, rounds=5)
    bare = microseconds(lambda: [WORD.findall(sentence) for sentence in SENTENCES], rounds=50)
    each = ours.median / len(SENTENCES)
    return Figure(
        f"offline planner, {len(devices)} devices, mean of {len(SENTENCES)} sentences",
        f"{each / 1000:.3g} ms",
        f"splitting them into words {bare.median / len(SENTENCES):.3g} µs",
        ours.median / bare.median,
        f"p50 under {GOAL / 1000:.0f} ms",
        each < GOAL,
    )


def _fleet(count: int) -> list[KnownDevice]:
    named = ("werkplaats-pc", "office", "kantoor", "server", "nas")
    names = [*named, *(f"machine {number}" for number in range(count))][:count]
    tools = frozenset(builtin.TOOLS)
    return [KnownDevice(name.replace(" ", "-"), name, (), None, online=True, tools=tools) for name in names]
