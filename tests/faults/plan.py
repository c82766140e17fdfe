"""What is done to whom, and when: drawn from a seed before anything starts.

The same seed gives the same plan. What the programs happen to be doing at each of its
moments is theirs; the plan cannot repeat that, only come there again.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from tests.chance import repeatable
from tests.faults import points

CONTROLLER, BROKER = "controller", "broker"


class Kind(StrEnum):
    """What can happen besides a program's own death."""

    BROKER_KILLED = "broker killed"  # Mosquitto alone; its supervisor starts it again
    BROKER_REMEMBERS = "broker killed after saving"
    BROKER_FORGETS = "broker and supervisor killed, persistence deleted"
    TWO_AT_ONCE = "two killed at once"
    PAUSED = "paused"  # SIGSTOP for longer than the keep-alive
    CUT = "line cut"
    SILENT = "line silent"
    HALF = "line half open"
    DISK_FULL = "disk of a node full"
    REPEATED = "messages repeated by hand"
    RETAINED = "retained command by hand"


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a program: until a point is reached, or for some seconds."""

    point: str | None
    nth: int
    after_s: float  # not before; without a point: its whole length


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing done from outside, after a pause."""

    kind: Kind
    target: str
    pause_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    nodes: int
    commands: int
    events: int
    each_point: int  # times
    random_lives: int  # of the controller, and of each node
    disturbances: dict[Kind, int]
    submit_every_s: float
    event_every_s: float  # of one node
    valid_s: float
    timeout_s: float  # of a tool
    within_s: float  # for the plan; what is left of it then is not done, and said
    settle_within_s: float
    only: frozenset[str] | None = None  # these points alone
    insist: bool = False  # die at a point again when nothing was in flight


LONG = Size(
    nodes=3,
    commands=2_000,
    events=2_000,
    each_point=6,
    random_lives=10,
    disturbances={
        Kind.BROKER_KILLED: 12,
        Kind.BROKER_REMEMBERS: 5,
        Kind.BROKER_FORGETS: 8,
        Kind.TWO_AT_ONCE: 14,
        Kind.PAUSED: 12,
        Kind.CUT: 16,
        Kind.SILENT: 8,
        Kind.HALF: 8,
        Kind.DISK_FULL: 8,
        Kind.REPEATED: 40,
        Kind.RETAINED: 6,
    },
    submit_every_s=0.09,
    event_every_s=0.3,
    valid_s=20.0,
    timeout_s=5.0,
    within_s=520.0,
    settle_within_s=75.0,
    insist=True,
)

SHORT = Size(
    nodes=3,
    commands=60,
    events=30,
    each_point=1,
    random_lives=1,
    disturbances={
        Kind.BROKER_KILLED: 1,
        Kind.BROKER_FORGETS: 1,
        Kind.TWO_AT_ONCE: 1,
        Kind.PAUSED: 1,
        Kind.CUT: 1,
        Kind.SILENT: 1,
        Kind.HALF: 1,
        Kind.DISK_FULL: 1,
        Kind.REPEATED: 3,
        Kind.RETAINED: 1,
    },
    submit_every_s=0.06,
    event_every_s=0.1,
    valid_s=3.0,
    timeout_s=2.0,
    within_s=90.0,  # a slow machine takes longer; a quick one is done in a third of it
    settle_within_s=45.0,
)

# what a sabotage is judged by: little of everything, at the points that show it
PROBE = Size(
    nodes=1,
    commands=30,
    events=10,
    each_point=4,
    random_lives=0,
    disturbances={Kind.REPEATED: 10},
    submit_every_s=0.1,
    event_every_s=0.1,
    valid_s=4.0,
    timeout_s=1.5,
    within_s=30.0,
    settle_within_s=32.0,
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be done, by whom it is done to."""

    seed: int
    size: Size
    lives: dict[str, tuple[Life, ...]]
    disturbances: tuple[Disturbance, ...] = field(default=())

    @property
    def kills(self) -> int:
        """How many programs will be killed, if all of it comes to pass."""
        broken = [one.kind for one in self.disturbances]
        return (
            sum(len(each) for each in self.lives.values())
            + 2 * broken.count(Kind.TWO_AT_ONCE)
            + broken.count(Kind.BROKER_KILLED)
            + broken.count(Kind.BROKER_REMEMBERS)
            + 2 * broken.count(Kind.BROKER_FORGETS)
        )


def node_names(size: Size) -> list[str]:
    """The nodes of a run; the last one's data stand on the small disk."""
    return [f"node-{number}" for number in range(1, size.nodes + 1)]


def make(seed: int, size: Size) -> Plan:
    """Draw a plan."""
    random = repeatable(seed)
    nodes = node_names(size)
    lives = {CONTROLLER: _lives(random, points.CONTROLLER, size, size.random_lives)}
    shared = _lives(random, points.NODE, size, size.random_lives * size.nodes)
    for number, name in enumerate(nodes):
        lives[name] = shared[number :: size.nodes]
    return Plan(seed, size, lives, _disturbances(random, size, [CONTROLLER, *nodes]))


def _lives(random: Random, table: dict[str, points.Point], size: Size, random_lives: int) -> tuple[Life, ...]:
    names = [name for name in table if size.only is None or name in size.only]
    lives = [
        Life(
            name,
            nth=1 if table[name].needs is not points.Needs.COMMAND else random.randint(1, 3),
            after_s=0.0 if table[name].needs is points.Needs.NOTHING else round(random.uniform(0.2, 1.2), 2),
        )
        for name in names
        for _ in range(size.each_point)
    ]
    lives += [Life(None, 0, round(random.uniform(0.1, 3.0), 2)) for _ in range(random_lives)]
    random.shuffle(lives)
    return tuple(lives)


def _disturbances(random: Random, size: Size, targets: list[str]) -> tuple[Disturbance, ...]:
    kinds = [kind for kind, count in size.disturbances.items() for _ in range(count)]
    random.shuffle(kinds)
    return tuple(
        Disturbance(
            kind,
            random.choice([*targets, BROKER] if kind is Kind.PAUSED else targets),
            round(random.uniform(0.2, 1.2), 2),
            _length(random, kind),
        )
        for kind in kinds
    )


def _length(random: Random, kind: Kind) -> float:
    match kind:
        case Kind.PAUSED | Kind.SILENT | Kind.HALF:
            return round(random.uniform(3.2, 4.5), 2)  # longer than half again the keep-alive
        case Kind.CUT | Kind.DISK_FULL:
            return round(random.uniform(0.3, 2.5), 2)
        case _:
            return 0.0
