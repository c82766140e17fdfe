"""Node.js is needed, not wished for: where it is missing, the tests that use it say how to get it."""

from pathlib import Path

import pytest

from tests import nodejs


def test_a_missing_program_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(nodejs.NodeMissing, match="node is not installed: apt-get install nodejs npm"):
        nodejs.install()


def test_the_lock_file_names_no_host_to_get_a_package_from() -> None:
    lock = (nodejs.FOLDER / "package-lock.json").read_text(encoding="utf-8")

    assert '"integrity"' in lock
    assert '"resolved"' not in lock
