"""scripts/audit.py, with the real pip-audit and a database of this test's own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.serving import Quiet, Served

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit.py"
HASH = "0" * 64


class Database(Quiet, BaseHTTPRequestHandler):
    """Answers as OSV does: what is known of one release of one package."""

    known: dict[str, list[Any]]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        holes = self.known.get(asked["package"]["name"], [])
        body = json.dumps({"vulns": holes} if holes else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def a_hole(package: str) -> dict[str, Any]:
    return {
        "id": f"TEST-{package}",
        "summary": "a hole",
        "affected": [
            {
                "package": {"name": package, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
            }
        ],
    }


@pytest.fixture
def database() -> Iterator[str]:
    """It knows of the release that every database must know of, and of nothing else."""
    Database.known = {"pip": [a_hole("pip")]}
    with Served(ThreadingHTTPServer(("127.0.0.1", 0), Database)) as served:
        yield f"{served.url}/v1/query"


def audit(database: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    lock = folder / "requirements.lock"
    lock.write_text(f"lamp==1.0 --hash=sha256:{HASH}\nnas==2.0 --hash=sha256:{HASH}\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--database", database, "--lock", str(lock)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_packages_without_holes_pass(database: str, tmp_path: Path) -> None:
    done = audit(database, tmp_path)

    assert (done.returncode, done.stdout) == (0, "pip-audit: 2 packages audited, 0 with holes\n")


def test_a_hole_fails_and_is_named(database: str, tmp_path: Path) -> None:
    Database.known["nas"] = [a_hole("nas")]
    done = audit(database, tmp_path)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "pip-audit: nas 2.0: TEST-nas; mended in 9.9",
        "pip-audit: 2 packages audited, 1 with holes",
    ]


def test_a_database_that_is_not_there_is_one_line_and_passes(tmp_path: Path) -> None:
    done = audit(f"http://127.0.0.1:{free_port()}/", tmp_path)

    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "skipped" in done.stdout


def test_a_database_that_knows_nothing_is_none(database: str, tmp_path: Path) -> None:
    Database.known.clear()
    done = audit(database, tmp_path)

    assert done.returncode == 0
    assert "skipped" in done.stdout
    assert "knows no holes at all" in done.stdout


def test_a_lock_file_that_cannot_be_read_fails(database: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--database", database, "--lock", str(tmp_path / "requirements.lock")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "pip-audit failed" in done.stdout
