"""The audit as a file: checked without a database, and no line of it can be other than it was."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.services import audit, heads, proof
from controller.services.proof import Kind
from controller.store.house import HouseRules
from schemas.signing import Signer
from tests.factories import ADMIN, later

ROWS = 8
SIGNER = Signer.generate()
Lines = list[dict[str, Any]]


@pytest.fixture
def exported(session: Session) -> Lines:
    """A file with the chains of two controllers."""
    for instance in ("main", "other"):
        session.info.update(HouseRules(instance=instance).known_in())
        for number in range(ROWS):
            audit.record(
                session, f"noted.{number}", now=later(number), actor=ADMIN, detail={"big": 1e22, "n": 1}
            )
    signed = heads.sign(heads.ends(session), SIGNER, by="main", now=later(99))
    lines = proof.lines(proof.Stored(lambda: nullcontext(session)), signed)
    return [json.loads(line) for line in lines]


@pytest.fixture
def verdict(tmp_path: Path) -> Callable[[Lines], dict[str, Any]]:
    """The fault of each chain of a file that holds these lines."""

    def verdict(lines: Lines) -> dict[str, Any]:
        path = tmp_path / "audit.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        file = proof.Exported(path)
        believed = frozenset({SIGNER.key_id})
        found = proof.walk(file, file.heads, believed=believed, to_the_head=True)
        return {each.instance: each.fault and (each.fault.kind, each.fault.position) for each in found}

    return verdict


Verdict = Callable[[Lines], dict[str, Any]]


def test_a_file_as_it_was_written_is_whole(exported: Lines, verdict: Verdict) -> None:
    assert len(exported) == 2 * ROWS + 2
    assert exported[-1]["head"]["key_id"] == SIGNER.key_id
    assert verdict(exported) == {"main": None, "other": None}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    position=st.integers(1, ROWS),
    column=st.sampled_from(proof.COLUMNS),
    value=st.none() | st.text() | st.integers(),
)
def test_every_change_of_a_line_is_found(
    exported: Lines, verdict: Verdict, position: int, column: str, value: Any
) -> None:
    assume(exported[position - 1][column] != value)
    lines = [dict(line) for line in exported]
    lines[position - 1][column] = value

    found: dict[str, Any] = {}
    unreadable = ""
    try:
        found = verdict(lines)
    except proof.Unreadable as error:
        unreadable = str(error)

    if unreadable:
        assert f"line {position}" in unreadable
    else:
        assert any(fault is not None for fault in found.values())
        if column not in ("instance", "position"):
            assert found["main"] == (Kind.CHANGED, position)


def test_lines_that_changed_places_are_found_at_the_first(exported: Lines, verdict: Verdict) -> None:
    exported[2], exported[5] = exported[5], exported[2]

    assert verdict(exported) == {"main": (Kind.REORDERED, 3), "other": None}


def test_a_line_that_is_missing_is_named(exported: Lines, verdict: Verdict) -> None:
    del exported[ROWS + 3]

    assert verdict(exported) == {"main": None, "other": (Kind.REMOVED, 4)}


def test_a_line_that_is_there_twice_is_named(exported: Lines, verdict: Verdict) -> None:
    exported.insert(5, exported[2])

    assert verdict(exported) == {"main": (Kind.INSERTED, 3), "other": None}


def test_an_end_that_is_missing_is_named(exported: Lines, verdict: Verdict) -> None:
    del exported[ROWS - 2 : ROWS]

    assert verdict(exported) == {"main": (Kind.CUT, ROWS - 1), "other": None}


def test_an_older_head_does_not_stand_for_a_longer_chain(exported: Lines, verdict: Verdict) -> None:
    head = exported[-2]["head"]
    head["position"], head["hash"] = 3, exported[2]["hash"]

    assert verdict(exported)["main"] == (Kind.REWRITTEN, ROWS), "its signature does not fit"


def test_a_chain_without_a_head_is_not_whole(exported: Lines, verdict: Verdict) -> None:
    del exported[-2]

    assert verdict(exported)["main"] == (Kind.REWRITTEN, ROWS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "its end is missing"),
        ("{}\n", "line 1: no row"),
        ("[]\n", "line 1: not a JSON object"),
        ("no\n", "line 1: not JSON"),
        ("[" * 100_000, "line 1: not JSON"),
        ('{"head": {"position": 1}}\n', "line 1: no signed head"),
    ],
)
def test_what_is_no_export_is_said_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(proof.Unreadable, match=said):
        proof.Exported(path)


def test_a_row_behind_the_head_is_no_export(exported: Lines, verdict: Verdict) -> None:
    with pytest.raises(proof.Unreadable, match="behind the signed head"):
        verdict([*exported, exported[0]])


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(proof.Unreadable, match="No such file"):
        proof.Exported(tmp_path / "none")
