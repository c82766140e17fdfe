"""A device as the layers see it: both sides' folders and applications, and its own path rules."""

from typing import Any

import pytest

from controller.services import permissions
from controller.services.permissions import Proposal
from controller.services.policy import Verdict
from controller.services.targets import Target
from schemas.errors import ErrorCode
from schemas.paths import Flavour
from tests.controller.services.judging import a_target, denied
from tests.factories import ADMIN, a_profile


def test_every_path_of_a_call_is_judged() -> None:
    target = a_target()

    call = {"source": "a", "destination": "/etc/b"}
    assert denied(target, "copy_path", call) is ErrorCode.PATH_NOT_ALLOWED
    call = {"source": "/etc/a", "destination": "b"}
    assert denied(target, "copy_path", call) is ErrorCode.PATH_NOT_ALLOWED
    decision = permissions.decide(ADMIN, target, Proposal("copy_path", {"source": "a", "destination": "~/b"}))
    assert decision.code is ErrorCode.PATH_NOT_ALLOWED


def test_paths_are_made_absolute_and_the_callers_own_arguments_stay_as_they_were() -> None:
    call: dict[str, Any] = {"source": "a", "destination": "/srv/files/deep/b"}

    decision = permissions.decide(ADMIN, a_target(), Proposal("copy_path", call))

    assert decision.arguments == {"source": "/srv/files/a", "destination": "/srv/files/deep/b"}
    assert call["source"] == "a"


@pytest.mark.parametrize(
    ("owner", "device", "expected"),
    [
        (None, None, ()),
        (None, [], ()),
        (None, ["/a"], ("/a",)),
        ([], None, ()),
        ([], [], ()),
        ([], ["/a"], ()),
        (["/a"], None, ("/a",)),
        (["/a"], [], ()),
        (["/a"], ["/a"], ("/a",)),
        (["/a"], ["/a/b"], ("/a/b",)),
        (["/a/b"], ["/a"], ("/a/b",)),
        (["/a"], ["/b"], ()),
        (["/ab"], ["/a"], ()),
        (["/a", "/c"], ["/c/d", "/a/b", "/x"], ("/a/b", "/c/d")),
        (["/a", "/a/b"], ["/a/b"], ("/a/b",)),
        (["~/work"], ["~"], ("/home/ada/work",)),
        (["relative"], None, ()),
        (["/a/../etc"], None, ()),
        (["C:\\x"], ["/"], ()),
        (["/"], ["/srv"], ("/srv",)),
    ],
)
def test_folders_are_allowed_where_owner_and_device_both_allow_them(
    owner: list[str] | None, device: list[str] | None, expected: tuple[str, ...]
) -> None:
    target = a_target(a_profile(allowed_paths=device), allowed_paths=owner)

    assert target.allowed_paths == expected


@pytest.mark.parametrize(
    ("owner", "device", "expected"),
    [
        (None, None, ()),
        (None, ["Editor"], ("Editor",)),
        (["editor"], None, ("editor",)),
        (["Editor", "shell"], ["editor"], ("Editor",)),
        (["editor"], [], ()),
        ([], ["editor"], ()),
    ],
)
def test_applications_are_allowed_where_owner_and_device_both_allow_them(
    owner: list[str] | None, device: list[str] | None, expected: tuple[str, ...]
) -> None:
    target = a_target(a_profile(allowed_apps=device), allowed_apps=owner)

    assert target.allowed_apps == expected


def test_no_allowed_folder_means_no_path_at_all() -> None:
    assert (
        denied(a_target(a_profile(allowed_paths=[])), "path_info", {"path": "/"})
        is ErrorCode.PATH_NOT_ALLOWED
    )


def a_windows_target() -> Target:
    return a_target(
        a_profile(
            os={"type": "windows"}, home="C:\\Users\\Ada", allowed_paths=["C:\\Users\\Ada\\Files", "D:/data"]
        )
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\Users\\Ada\\Files\\x", "C:\\Users\\Ada\\Files\\x"),
        ("c:/users/ADA/files/x", "C:\\users\\ADA\\files\\x"),
        ("x\\y", "C:\\Users\\Ada\\Files\\x\\y"),
        ("~/Files/x", "C:\\Users\\Ada\\Files\\x"),
        ("D:\\DATA\\x", "D:\\DATA\\x"),
        ("C:\\Users\\Ada\\Other", None),
        ("C:\\Users\\Ada\\Files\\..\\x", None),
        ("C:x", None),
        ("\\\\server\\share", None),
        ("\\\\?\\C:\\Users\\Ada\\Files\\x", None),
        ("C:\\Users\\Ada\\Files\\NUL", None),
        ("C:\\Users\\Ada\\Files\\x.", None),
        ("C:\\Users\\Ada\\Files:stream", None),
        ("/srv/files", None),
    ],
)
def test_a_windows_device_is_judged_by_windows_rules(path: str, expected: str | None) -> None:
    target = a_windows_target()
    assert target.flavour is Flavour.WINDOWS

    decision = permissions.decide(ADMIN, target, Proposal("path_info", {"path": path}))

    if expected is None:
        assert (decision.verdict, decision.code) == (Verdict.DENY, ErrorCode.PATH_NOT_ALLOWED)
    else:
        assert (decision.verdict, decision.arguments) == (Verdict.ALLOW, {"path": expected})


def test_an_application_that_is_not_allowed_is_denied_in_any_letter_case() -> None:
    target = a_target()

    assert denied(target, "open_app", {"name": "shell"}) is ErrorCode.APP_NOT_ALLOWED
    assert (
        permissions.decide(ADMIN, target, Proposal("open_app", {"name": "EDITOR"})).verdict is Verdict.ALLOW
    )
