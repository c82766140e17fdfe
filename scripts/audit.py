"""Whether the packages of the lock file have known holes, by pip-audit and the OSV database.

Where the database does not answer, the check says so in one line and passes. That it answers is proven
by asking for a release that is known to be bad. Exit code 1: a package has a hole.
"""

import argparse
import json
import subprocess  # nosec B404 # pip-audit is a program
import sys
import threading
from pathlib import Path

import httpx

DATABASE = "https://api.osv.dev/v1/query"
LOCK = Path(__file__).parents[1] / "requirements.lock"
KNOWN_BAD = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "22.3"}
REACHED_WITHIN = 8.0  # seconds, looking up its name included
ANSWER_WITHIN = 15  # seconds for one package
AUDITED_WITHIN = 300.0  # seconds for all of them


def main() -> int:
    """Audit, and say what came of it on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default=DATABASE, help="Address of the OSV database.")
    parser.add_argument("--lock", type=Path, default=LOCK, help="The lock file.")
    options = parser.parse_args()
    if (reason := _why_unreachable(options.database)) is not None:
        return _say(f"pip-audit: skipped, {options.database} does not answer: {reason}", 0)
    try:
        audited = _audit(options.lock, options.database)
    except subprocess.TimeoutExpired:
        return _say(f"pip-audit: skipped, {options.database} took longer than {AUDITED_WITHIN:g} s", 0)
    try:
        packages = json.loads(audited.stdout)["dependencies"]
    except ValueError:
        return _say(f"pip-audit failed:\n{audited.stderr.strip()}", 1)
    for package in packages:
        for hole in package.get("vulns", ()):
            mended = ", ".join(hole["fix_versions"]) or "no release yet"
            _say(f"pip-audit: {package['name']} {package['version']}: {hole['id']}; mended in {mended}", 1)
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        _say(f"pip-audit: not audited: {', '.join(skipped)}", 0)
    found = sum(bool(package.get("vulns")) for package in packages)
    return _say(
        f"pip-audit: {len(packages) - len(skipped)} packages audited, {found} with holes", int(bool(found))
    )


def _why_unreachable(database: str) -> str | None:
    reasons = ["no answer in time"]

    def ask() -> None:
        try:
            answer = httpx.post(database, json=KNOWN_BAD, timeout=REACHED_WITHIN)
            known = bool(answer.raise_for_status().json().get("vulns"))
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            reasons.append(str(error) or type(error).__name__)
        else:
            reasons.append("" if known else "it knows no holes at all")

    # in a thread, for no timeout holds while a name is looked up
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(REACHED_WITHIN)
    return reasons[-1] or None


def _audit(lock: Path, database: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # nosec B603 # our own interpreter, and arguments of this file
        [
            *(
                sys.executable,
                "-m",
                "pip_audit",
                "--requirement",
                str(lock),
                "--require-hashes",
                "--disable-pip",
            ),
            *("--vulnerability-service", "osv", "--osv-url", database, "--timeout", str(ANSWER_WITHIN)),
            *("--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
        timeout=AUDITED_WITHIN,
        check=False,
    )


def _say(line: str, exit_code: int) -> int:
    sys.stdout.write(f"{line}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
