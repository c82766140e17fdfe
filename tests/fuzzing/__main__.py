"""`python -m tests.fuzzing`: ask the API whatever its description allows, and what it does not, for long."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzzing.examination import LONG, examine
from tests.orion.installation import running


def main() -> int:
    """Run, print what Schemathesis says, and give its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--examples", type=int, default=200, help="At most so many of one operation and phase."
    )
    parser.add_argument("--seed", type=int, help="What an earlier run said, to have the same again.")
    wanted = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    with tempfile.TemporaryDirectory(prefix="orion-fuzzing-") as folder:
        home = Path(folder)
        with running(home / "installation") as installation:
            done = examine(
                installation, home, phases=LONG, examples=wanted.examples, seed=seed, within_s=None
            )
    sys.stdout.write(f"{done.stdout}\nSeed: {seed}\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
