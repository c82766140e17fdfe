"""scripts/setup.sh: quiet when nothing is to do, and never fooled by an installation that was cut short."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup.sh"
# Stands in for what cannot run here: uv would download a hundred packages.
UV = """#!/bin/sh
echo "uv $*" >>"$UV_LOG"
case $1 in
  venv) mkdir -p .venv/bin; ln -sf "{python}" .venv/bin/python ;;
  pip) [ -z "${{UV_FAILS:-}}" ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone in a folder with a space in its name, and a uv that only notes what it is told."""
    clone = tmp_path / "my clone"
    (clone / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, clone / "scripts")
    for name in ("requirements.lock", "pyproject.toml"):
        (clone / name).write_text(f"# {name}\n", encoding="utf-8")
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(UV.format(python=sys.executable), encoding="utf-8")
    uv.chmod(0o755)
    return clone


def setup(checkout: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    tools = checkout.parent / "bin"
    log = checkout.parent / "uv.log"
    path = f"{tools}:{os.environ['PATH']}"
    return subprocess.run(
        ["/bin/sh", str(checkout / "scripts" / "setup.sh")],
        env=os.environ | {"PATH": path, "UV_LOG": str(log)} | environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def told(checkout: Path) -> list[str]:
    log = checkout.parent / "uv.log"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_the_first_run_installs_with_hashes_and_says_so(checkout: Path) -> None:
    done = setup(checkout)

    assert done.returncode == 0, done.stderr
    assert told(checkout)[0].startswith("uv venv")
    assert "--require-hashes -r requirements.lock" in told(checkout)[1]
    assert "--no-deps --no-build-isolation -e ." in told(checkout)[2]
    assert "running: uv pip install" in done.stderr


def test_the_second_run_does_and_says_nothing(checkout: Path) -> None:
    setup(checkout)
    before = told(checkout)

    done = setup(checkout)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert told(checkout) == before


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_file_installs_again_without_a_new_environment(checkout: Path, name: str) -> None:
    setup(checkout)
    (checkout / name).write_text("# changed\n", encoding="utf-8")
    before = len(told(checkout))

    setup(checkout)

    assert [line.split()[1] for line in told(checkout)[before:]] == ["pip", "pip"]


def test_an_installation_that_was_cut_short_is_done_again(checkout: Path) -> None:
    failed = setup(checkout, UV_FAILS="yes")
    assert failed.returncode != 0

    done = setup(checkout)

    assert done.returncode == 0
    assert "in place" in done.stderr


def test_a_checkout_that_was_moved_is_installed_again(checkout: Path) -> None:
    setup(checkout)
    moved = checkout.rename(checkout.parent / "elsewhere")

    assert "in place" in setup(moved).stderr
