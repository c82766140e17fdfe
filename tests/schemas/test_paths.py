"""Paths by their text: the table that controller and node share, and what must hold for any text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.devices import OperatingSystem
from schemas.paths import Flavour, PathRefused, admit, flavour_of, is_within, names_of, resolve
from tests.schemas.paths import TABLE


@pytest.mark.parametrize("row", TABLE, ids=[f"{row['flavour']}-{row['why'][:60]}" for row in TABLE])
def test_a_path_is_admitted_exactly_as_the_table_says(row: dict[str, Any]) -> None:
    flavour = Flavour(row["flavour"])
    try:
        path = resolve(row["path"], flavour, home=row["home"], base=row["base"])
    except PathRefused:
        admitted = None
    else:
        admitted = path if any(is_within(path, folder, flavour) for folder in row["allowed"]) else None

    assert admitted == row["expected"], row["why"]


def test_every_row_of_the_table_is_another_case() -> None:
    cases = [json.dumps({key: row[key] for key in row if key not in ("why", "expected")}) for row in TABLE]

    assert len(set(cases)) == len(cases)


@pytest.mark.parametrize("flavour", list(Flavour))
def test_a_resolved_path_resolves_to_itself(flavour: Flavour) -> None:
    for row in TABLE:
        if row["flavour"] == flavour and row["expected"]:
            assert resolve(row["expected"], flavour, home=None, base=None) == row["expected"]


_signs = st.sampled_from(["..", ".", "/", "\\", "~", "a", "C:", "c", ":", " ", "NUL", "\x00", "\uff0f", "…"])


@given(st.lists(_signs, max_size=12).map("".join), st.sampled_from(list(Flavour)))
def test_no_text_leaves_the_base_without_naming_an_absolute_path(text: str, flavour: Flavour) -> None:
    base = "C:\\base" if flavour is Flavour.WINDOWS else "/base"
    try:
        path = resolve(
            text, flavour, home=base + "\\h" if flavour is Flavour.WINDOWS else "/base/h", base=base
        )
    except PathRefused:
        return

    separator = "\\" if flavour is Flavour.WINDOWS else "/"
    assert ".." not in path.split(separator)
    assert is_within(path, base, flavour) or text.startswith(("/", "C:", "c:"))


@given(st.text(max_size=40), st.sampled_from(list(Flavour)))
def test_any_text_is_resolved_or_refused_and_never_breaks(text: str, flavour: Flavour) -> None:
    base = "C:\\base" if flavour is Flavour.WINDOWS else "/base"
    try:
        path = resolve(text, flavour, home=None, base=base)
    except PathRefused:
        return

    assert resolve(path, flavour, home=None, base=None) == path


def test_names_below_the_allowed_folder_are_single_components() -> None:
    assert names_of("/a/b/c/d", "/a/b", Flavour.POSIX) == ["c", "d"]
    assert names_of("c:\\A\\b", "C:\\a", Flavour.WINDOWS) == ["b"]
    with pytest.raises(PathRefused):
        names_of("/a/bc", "/a/b", Flavour.POSIX)


def test_admit_names_the_reason_for_a_path_outside() -> None:
    assert admit("x", Flavour.POSIX, home=None, allowed=["/a", "/b"]) == "/a/x"
    with pytest.raises(PathRefused, match="outside the allowed folders"):
        admit("/c/x", Flavour.POSIX, home=None, allowed=["/a", "/b"])


def test_a_windows_path_on_a_posix_device_is_refused_with_that_reason() -> None:
    with pytest.raises(PathRefused, match="Windows path"):
        resolve("C:\\Users\\x", Flavour.POSIX, home="/home/a", base="/home/a")


@pytest.mark.parametrize(
    ("os", "flavour"),
    [
        (None, Flavour.POSIX),
        (OperatingSystem(type="windows"), Flavour.WINDOWS),
        (OperatingSystem(type="linux"), Flavour.POSIX),
        (OperatingSystem(type="macos"), Flavour.POSIX),
        (OperatingSystem(type="other"), Flavour.POSIX),
    ],
)
def test_only_windows_devices_follow_windows_rules(os: OperatingSystem | None, flavour: Flavour) -> None:
    assert flavour_of(os) is flavour
