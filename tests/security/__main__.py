"""Attack, and with `--write` put what was seen on `docs/security.md`."""

import sys
from pathlib import Path

import pytest

from tests.security.rows import TABLE, write


class Writer:
    """Writes the page when every test has passed."""

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.OK:
            write(session.config.stash[TABLE])


def main(arguments: list[str]) -> int:
    """Run the tests; the exit code is pytest's."""
    here = str(Path(__file__).parent.relative_to(Path.cwd()))
    if arguments == ["--write"]:
        return pytest.main([here, "-q", "--deselect", f"{here}/test_page.py"], plugins=[Writer()])
    return pytest.main([here, "-q", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
