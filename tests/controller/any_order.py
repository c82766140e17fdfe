"""Running a machine of rules on a database: what may happen in any order happens on either kind."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.databases import SQLITE, Databases

SHARE = 3  # a server takes several times as long: it gets one example of so many


def run(machine: type[RuleBasedStateMachine], databases: Databases, *, examples: int, steps: int) -> None:
    """Try that many examples on SQLite, fewer on a server, each of so many steps."""
    wanted = settings(
        max_examples=examples if databases.kind == SQLITE else examples // SHARE,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    run_state_machine_as_test(machine, settings=wanted)
