"""Looking at files: sizes, names, encodings and limits."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from device_node.tools.tool import size_of
from schemas.builtin import MAX_RESULT_BYTES
from schemas.errors import ErrorCode
from tests.device_node.tools.desk import Desk


def test_a_folder_is_listed_by_name_with_kinds_and_sizes(desk: Desk) -> None:
    (desk.folder / "b").write_text("12345")
    (desk.folder / "A").mkdir()
    (desk.folder / "c").symlink_to("b")

    result = desk.run("list_directory", path=desk.at())

    assert [(row["name"], row["type"], row.get("size")) for row in result["entries"]] == [
        ("A", "directory", None),
        ("b", "file", 5),
        ("c", "link", None),
    ]
    assert (result["total"], result["truncated"]) == (3, False)
    assert all(row["modified"].endswith("Z") for row in result["entries"])


def test_a_huge_folder_is_cut_and_says_so(desk: Desk) -> None:
    for number in range(3000):
        (desk.folder / f"{number:05}-{'x' * 200}").touch()

    few = desk.run("list_directory", path=desk.at(), limit=10)
    many = desk.run("list_directory", path=desk.at(), limit=1000)

    assert ([row["name"][:5] for row in few["entries"]][-1], few["total"], few["truncated"]) == (
        "00009",
        3000,
        True,
    )
    assert many["truncated"]
    assert 300 < len(many["entries"]) < 1000
    assert size_of(many) <= MAX_RESULT_BYTES


def test_names_that_are_no_text_are_escaped(desk: Desk) -> None:
    Path(os.fsdecode(os.fsencode(desk.at()) + b"/caf\xe9")).write_text("x")

    row = desk.run("list_directory", path=desk.at())["entries"][0]
    found = desk.run("search_files", path=desk.at(), pattern="caf")["matches"][0]

    assert (row["name"], row["escaped"]) == ("caf\\xe9", True)
    assert found["path"] == desk.at("caf\\xe9")
    json.dumps([row, found]).encode("utf-8")


def test_every_other_name_comes_as_it_is(desk: Desk) -> None:
    names = ["a b", "été", "日本", "🎉", "-rf", "$HOME", "a\nb", "'\"", "x" * 255]
    for name in names:
        (desk.folder / name).touch()

    assert {row["name"] for row in desk.run("list_directory", path=desk.at())["entries"]} == set(names)


def test_listing_a_file_or_nothing_is_an_error(desk: Desk) -> None:
    (desk.folder / "f").touch()

    assert desk.fails("list_directory", path=desk.at("f")) == ErrorCode.CONFLICT
    assert desk.fails("list_directory", path=desk.at("none")) == ErrorCode.NOT_FOUND


def test_text_is_read_as_text(desk: Desk) -> None:
    (desk.folder / "f").write_text("héllo\r\n\tx", newline="")

    result = desk.run("read_file", path=desk.at("f"))

    assert result == {
        "path": desk.at("f"),
        "size": 10,
        "truncated": False,
        "encoding": "utf-8",
        "content": "héllo\r\n\tx",
    }


@pytest.mark.parametrize("data", [b"\x00\x01", b"caf\xe9", b"\xff\xfe", b"a\x08b", bytes(range(256))])
def test_anything_else_is_read_as_base64(desk: Desk, data: bytes) -> None:
    (desk.folder / "f").write_bytes(data)

    result = desk.run("read_file", path=desk.at("f"))

    assert (result["encoding"], base64.b64decode(result["content"])) == ("base64", data)


def test_an_empty_file_is_empty_text(desk: Desk) -> None:
    (desk.folder / "f").touch()

    assert desk.run("read_file", path=desk.at("f"))["content"] == ""


def test_a_cut_never_splits_a_letter(desk: Desk) -> None:
    (desk.folder / "f").write_text("aé€🎉" * 10)

    for most in range(1, 40):
        result = desk.run("read_file", path=desk.at("f"), max_bytes=most)
        assert result["encoding"] == "utf-8"
        assert ("aé€🎉" * 10).startswith(result["content"])
        assert result["truncated"]


@pytest.mark.parametrize("data", [b"\xff" * 300_000, b'"\n' * 150_000, b"x" * 300_000])
def test_what_is_read_always_fits_a_reply(desk: Desk, data: bytes) -> None:
    (desk.folder / "f").write_bytes(data)

    result = desk.run("read_file", path=desk.at("f"), max_bytes=131_072)

    assert result["truncated"]
    assert size_of(result) <= MAX_RESULT_BYTES


def test_info_tells_what_is_there_and_its_hash(desk: Desk) -> None:
    (desk.folder / "f").write_text("x")

    result = desk.run("path_info", path=desk.at("f"), sha256=True)

    assert (result["exists"], result["type"], result["size"]) == (True, "file", 1)
    assert result["sha256"] == hashlib.sha256(b"x").hexdigest()
    assert desk.run("path_info", path=desk.at())["type"] == "directory"
    assert desk.fails("path_info", path=desk.at(), sha256=True) == ErrorCode.CONFLICT


def test_that_nothing_is_there_is_an_answer(desk: Desk) -> None:
    assert desk.run("path_info", path=desk.at("none"))["exists"] is False
    assert desk.run("path_info", path=desk.at("none", "deeper"))["exists"] is False


def test_a_search_finds_parts_of_names_and_patterns_below(desk: Desk) -> None:
    (desk.folder / "Sub").mkdir()
    (desk.folder / "Sub" / "Report.PDF").touch()
    (desk.folder / "report.txt").touch()
    (desk.folder / "other").touch()
    (desk.folder / "out").symlink_to(desk.outside)

    def found(pattern: str) -> list[str]:
        matches = desk.run("search_files", path=desk.at(), pattern=pattern)["matches"]
        return [row["path"].removeprefix(desk.at() + "/") for row in matches]

    assert found("REPORT") == ["Sub/Report.PDF", "report.txt"]
    assert found("*.pdf") == ["Sub/Report.PDF"]
    assert found("????r") == ["other"]
    assert found("[") == []
    assert found("secret") == []
    assert desk.fails("search_files", path=desk.at(), pattern="Sub/*") == ErrorCode.INVALID_ARGUMENTS


def test_a_search_stops_at_its_limit_and_says_so(desk: Desk) -> None:
    for number in range(20):
        (desk.folder / str(number)).touch()

    result = desk.run("search_files", path=desk.at(), pattern="*", limit=5)

    assert (len(result["matches"]), result["truncated"]) == (5, True)


def test_a_pattern_cannot_be_made_slow(desk: Desk) -> None:
    (desk.folder / ("a" * 250)).touch()

    assert desk.run("search_files", path=desk.at(), pattern="*a" * 99 + "b")["matches"] == []


def test_names_longer_than_the_system_takes_are_refused(desk: Desk) -> None:
    assert desk.fails("read_file", path=desk.at("x" * 256)) == ErrorCode.PATH_NOT_ALLOWED
    deep = "/".join(["x" * 200] * 18)
    assert desk.fails("read_file", path=desk.at(deep)) == ErrorCode.NOT_FOUND


def test_a_file_that_is_closed_to_the_node_is_permission_denied() -> None:
    program = """
import os, sys
from pathlib import Path
from tests.device_node.tools.desk import Desk
desk = Desk(Path(sys.argv[1]))
file = desk.folder / "closed"
file.write_text("x")
if os.geteuid() == 0:
    os.chown(file, 65534, 65534)
    os.chown(desk.folder, 65534, 65534)
    os.chmod(sys.argv[1], 0o755)
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
file.chmod(0)
print(desk.fails("read_file", path=str(file)), desk.fails("path_info", path=str(file), sha256=True))
print(desk.run("path_info", path=str(file))["size"])
"""
    with tempfile.TemporaryDirectory() as top:
        ended = subprocess.run(
            [sys.executable, "-c", program, top],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert ended.stdout.split() == ["permission_denied", "permission_denied", "1"], ended.stderr
