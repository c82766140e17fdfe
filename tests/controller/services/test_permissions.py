"""May this actor make this call on this device: the table of risk, and each layer's own no."""

from dataclasses import replace
from typing import Any

import pytest

from controller.services import permissions, policy, targets
from controller.services.actors import Actor, Role
from controller.services.permissions import Proposal
from controller.services.policy import PolicyProfile, Verdict
from controller.store.tables import Device
from schemas import builtin
from schemas.commands import Via
from schemas.devices import Risk
from schemas.errors import ErrorCode
from tests.controller.services.judging import a_target, denied, hashes, one_tool
from tests.factories import ADMIN, NOON, OPERATOR, VIEWER, a_profile, a_tool

ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.ASK, Verdict.DENY
RISKS = list(Risk)


# role, profile, changing?: the verdicts for low, medium, high, critical
TABLE: list[tuple[Role, PolicyProfile, bool, tuple[Verdict, ...]]] = [
    (Role.VIEWER, PolicyProfile.OBSERVE, False, (ALLOW, DENY, DENY, DENY)),
    (Role.VIEWER, PolicyProfile.ASSIST, False, (ALLOW, DENY, DENY, DENY)),
    (Role.VIEWER, PolicyProfile.MANAGE, False, (ALLOW, DENY, DENY, DENY)),
    (Role.VIEWER, PolicyProfile.OBSERVE, True, (DENY, DENY, DENY, DENY)),
    (Role.VIEWER, PolicyProfile.ASSIST, True, (DENY, DENY, DENY, DENY)),
    (Role.VIEWER, PolicyProfile.MANAGE, True, (DENY, DENY, DENY, DENY)),
    (Role.OPERATOR, PolicyProfile.OBSERVE, False, (ALLOW, ALLOW, DENY, DENY)),
    (Role.OPERATOR, PolicyProfile.ASSIST, False, (ALLOW, ALLOW, ASK, DENY)),
    (Role.OPERATOR, PolicyProfile.MANAGE, False, (ALLOW, ALLOW, ASK, DENY)),
    (Role.OPERATOR, PolicyProfile.OBSERVE, True, (DENY, DENY, DENY, DENY)),
    (Role.OPERATOR, PolicyProfile.ASSIST, True, (ALLOW, ALLOW, ASK, DENY)),
    (Role.OPERATOR, PolicyProfile.MANAGE, True, (ALLOW, ALLOW, ASK, DENY)),
    (Role.ADMIN, PolicyProfile.OBSERVE, False, (ALLOW, ALLOW, DENY, DENY)),
    (Role.ADMIN, PolicyProfile.ASSIST, False, (ALLOW, ALLOW, ASK, DENY)),
    (Role.ADMIN, PolicyProfile.MANAGE, False, (ALLOW, ALLOW, ALLOW, ASK)),
    (Role.ADMIN, PolicyProfile.OBSERVE, True, (DENY, DENY, DENY, DENY)),
    (Role.ADMIN, PolicyProfile.ASSIST, True, (ALLOW, ALLOW, ASK, DENY)),
    (Role.ADMIN, PolicyProfile.MANAGE, True, (ALLOW, ALLOW, ALLOW, ASK)),
]


def test_the_table_names_every_case_once() -> None:
    cases = [(role, profile, changing) for role, profile, changing, _ in TABLE]

    assert len(set(cases)) == len(cases) == (len(Role) - 1) * len(PolicyProfile) * 2


@pytest.mark.parametrize("profile", PolicyProfile)
@pytest.mark.parametrize("risk", RISKS)
def test_to_a_guest_a_device_that_was_not_granted_is_not_there(risk: Risk, profile: PolicyProfile) -> None:
    target = one_tool(a_tool(risk=risk, annotations={"readOnlyHint": True}), policy=profile.value)
    guest = Actor("g", Role.GUEST, Via.API)

    decision = permissions.decide(guest, target, Proposal("pump_start", {}))

    stranger = permissions.decide(ADMIN, targets.unknown(target.device_id), Proposal("pump_start", {}))
    assert decision.verdict is DENY
    assert (decision.code, decision.reasons) == (ErrorCode.UNKNOWN_DEVICE, stranger.reasons)


@pytest.mark.parametrize(("role", "profile", "changing", "verdicts"), TABLE)
def test_risk_is_decided_by_role_and_policy_profile(
    role: Role,
    profile: PolicyProfile,
    changing: bool,
    verdicts: tuple[Verdict, ...],
) -> None:
    for risk, expected in zip(RISKS, verdicts, strict=True):
        tool = a_tool(risk=risk, annotations={"readOnlyHint": not changing})
        target = one_tool(tool, policy=profile.value)

        decision = permissions.decide(Actor("u", role, Via.API), target, Proposal(tool.name, {}))

        assert decision.verdict is expected, risk
        assert decision.risk is risk
        assert decision.reasons
        if expected is DENY:
            assert decision.code is ErrorCode.PERMISSION_DENIED


def test_no_role_or_profile_lets_more_pass_at_a_higher_risk() -> None:
    for role in Role:
        for read_only in (True, False):
            ranks = [policy.by_role(role, risk, read_only=read_only).rank for risk in RISKS]
            assert ranks == sorted(ranks)
    for profile in PolicyProfile:
        ranks = [policy.by_profile(profile, risk, read_only=True).rank for risk in RISKS]
        assert ranks == sorted(ranks)


def test_an_unknown_device_is_denied() -> None:
    assert denied(targets.unknown("x"), "create_directory", {"path": "a"}) is ErrorCode.UNKNOWN_DEVICE


def test_a_device_without_a_profile_offers_nothing() -> None:
    bare = targets.of(Device(id="i", device_id="x", registered_at=NOON, updated_at=NOON))

    assert denied(bare, "create_directory", {"path": "a"}) is ErrorCode.PERMISSION_DENIED


def test_a_device_that_nobody_adopted_is_denied_even_to_look() -> None:
    assert denied(a_target(adopted=False), "system_info", {}) is ErrorCode.PERMISSION_DENIED


def test_a_tool_that_is_not_offered_is_denied() -> None:
    assert denied(a_target(), "format_disk", {}) is ErrorCode.UNKNOWN_TOOL


def test_a_tool_that_the_device_no_longer_offers_is_named_as_such() -> None:
    target = a_target(a_profile(tools=[]), adopted_tools={"gone_tool": "0" * 64})

    decision = permissions.decide(ADMIN, target, Proposal("gone_tool", {}))

    assert decision.code is ErrorCode.UNKNOWN_TOOL
    assert "any more" in decision.reasons[0]


def test_a_tool_that_changed_or_is_new_waits_for_a_look() -> None:
    profile = a_profile(tools=[a_tool("pump_start", risk="low"), a_tool("pump_stop")])
    changed = a_target(
        profile, adopted_tools={"pump_start": hashes(a_profile(tools=[a_tool()]))["pump_start"]}
    )

    assert denied(changed, "pump_start", {}) is ErrorCode.TOOL_CHANGED
    assert denied(changed, "pump_stop", {}) is ErrorCode.TOOL_CHANGED
    assert not changed.tools["pump_start"].read_only


def test_a_tool_outside_the_whitelist_is_denied() -> None:
    assert denied(a_target(allowed_tools=["path_info"]), "system_info", {}) is ErrorCode.PERMISSION_DENIED
    assert denied(a_target(allowed_tools=[]), "system_info", {}) is ErrorCode.PERMISSION_DENIED
    allowed = permissions.decide(ADMIN, a_target(allowed_tools=["system_info"]), Proposal("system_info", {}))
    assert allowed.verdict is ALLOW


@pytest.mark.parametrize(
    "value", [{"extra": 1}, {}, {"path": None}, {"path": ["/srv/files"]}, {"path": {"a": 1}}, {"path": 1}]
)
def test_arguments_that_do_not_fit_are_denied(value: dict[str, Any]) -> None:
    assert denied(a_target(), "create_directory", value) is ErrorCode.INVALID_ARGUMENTS


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 2**53, 10**400, "\ud800"])
def test_what_json_cannot_carry_exactly_is_denied(value: Any) -> None:
    assert denied(one_tool(a_tool(risk="low")), "pump_start", {"x": value}) is ErrorCode.INVALID_ARGUMENTS


def test_a_tool_whose_schema_cannot_be_judged_is_denied() -> None:
    hidden = a_tool(
        risk="low",
        parameters={"type": "object", "properties": {"p": {"anyOf": [{"type": "string", "format": "path"}]}}},
    )

    assert denied(one_tool(hidden), "pump_start", {"p": "/etc"}) is ErrorCode.INVALID_ARGUMENTS


@pytest.mark.parametrize("value", [["/srv/files/x"], {"a": "/etc"}, 7, None, True])
def test_a_path_that_is_no_text_is_denied(value: Any) -> None:
    anything = a_tool(risk="low", parameters={"type": "object", "properties": {"p": {"format": "path"}}})

    assert denied(one_tool(anything), "pump_start", {"p": value}) is ErrorCode.PATH_NOT_ALLOWED


def test_the_known_risk_of_a_built_in_name_cannot_be_declared_away() -> None:
    tame = a_tool("delete_path", risk="low", annotations={"readOnlyHint": True})

    offered = one_tool(tame).tools["delete_path"]

    assert offered.risk_of({}) is Risk.HIGH
    assert not offered.read_only
    assert not offered.builtin


def test_a_declared_risk_above_the_known_one_holds() -> None:
    wary = builtin.TOOLS["create_directory"].model_copy(update={"risk": Risk.CRITICAL})

    assert one_tool(wary).tools["create_directory"].risk_of({"path": "x"}) is Risk.CRITICAL


def test_overwriting_is_riskier_than_writing() -> None:
    offered = a_target().tools["write_file"]

    assert offered.risk_of({"path": "x", "content": ""}) is Risk.MEDIUM
    assert offered.risk_of({"path": "x", "content": "", "overwrite": True}) is Risk.HIGH


def test_a_preview_of_a_built_in_tool_needs_no_person() -> None:
    preview = Proposal("delete_path", {"path": "x"}, dry_run=True)

    decision = permissions.decide(ADMIN, a_target(), preview)

    assert decision.verdict is ALLOW
    theirs = replace(one_tool(a_tool(risk="high")), previews=True)
    assert permissions.decide(ADMIN, theirs, Proposal("pump_start", {}, dry_run=True)).verdict is ASK


def test_a_device_that_may_not_know_previews_is_not_asked_for_one() -> None:
    theirs = one_tool(a_tool(risk="low"))
    preview = Proposal("pump_start", {}, dry_run=True)

    refused = permissions.decide(ADMIN, theirs, preview)

    assert (refused.verdict, refused.code) == (DENY, ErrorCode.NOT_SUPPORTED)
    assert permissions.decide(ADMIN, replace(theirs, previews=True), preview).verdict is ALLOW
    looking = one_tool(a_tool(risk="low", annotations={"readOnlyHint": True}))
    assert permissions.decide(ADMIN, looking, preview).verdict is ALLOW


def test_a_question_only_looks() -> None:
    target = a_target(policy="manage")
    question = Proposal("create_directory", {"path": "x"}, question=True)

    assert permissions.decide(ADMIN, target, question).verdict is DENY
    looking = Proposal("read_file", {"path": "x"}, question=True)
    assert permissions.decide(ADMIN, target, looking).verdict is ALLOW
    risky = one_tool(a_tool(risk="high", annotations={"readOnlyHint": True}), policy="manage")
    assert permissions.decide(ADMIN, risky, Proposal("pump_start", {}, question=True)).verdict is DENY


def test_a_doubt_asks_a_person_unless_the_call_only_looks() -> None:
    doubts = ("the path came from a file",)

    changing = permissions.decide(
        ADMIN, a_target(), Proposal("create_directory", {"path": "x"}, doubts=doubts)
    )
    looking = permissions.decide(ADMIN, a_target(), Proposal("path_info", {"path": "x"}, doubts=doubts))

    assert changing.verdict is ASK
    assert changing.reasons == ["the path came from a file"]
    assert looking.verdict is ALLOW


def test_no_doubt_loosens_a_denial() -> None:
    decision = permissions.decide(
        VIEWER, a_target(), Proposal("create_directory", {"path": "x"}, doubts=("why not",))
    )

    assert decision.verdict is DENY


def test_the_strictest_layer_decides_and_says_why() -> None:
    target = a_target(policy="manage")

    decision = permissions.decide(OPERATOR, target, Proposal("delete_path", {"path": "x"}))

    assert decision.verdict is ASK
    assert [layer.name for layer in decision.layers if layer.verdict is ASK] == ["role"]
    assert "operator" in decision.reasons[0]
