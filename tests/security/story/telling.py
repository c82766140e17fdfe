"""One run as far as it is told: its commands, what was seen of them, and which secrets it had."""

import json
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.installation import ORION, START_WITHIN, Installation
from tests.conformance.wire_peer import until
from tests.security import in_use
from tests.security.gathering import Gathered
from tests.security.in_use import Secret


def a_secret(name: str) -> Secret:
    """One of our own making, as long as any."""
    return Secret(name, secrets.token_urlsafe(32))


@dataclass
class Story:
    """One run. `told` are secrets that were said by design, or that somebody gave."""

    site: Installation
    gathered: Gathered = field(default_factory=Gathered)
    told: list[Secret] = field(default_factory=list)
    wire: bytes = b""
    at_work: list[Secret] = field(default_factory=list)  # what was kept while all of it ran

    @property
    def data_dir(self) -> Path:
        return self.site.directory / "data"

    def run(self, *words: str, stdin: str = "", says: tuple[str, ...] = (), **more: str) -> Any:
        """One command, to its end; what it answers. `says`: keys of the answer that are said by design."""
        done = subprocess.run(
            [ORION, *words],
            env=self.site.environment | more,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=START_WITHIN,
            check=False,
        )
        name = " ".join(words[:2])
        self.gathered.add(f"stderr of orion {name}", done.stderr)
        said = done.stdout
        answer = json.loads(said) if "--json" in words and said.strip() else {}
        for key in says:
            value = _taken(answer, key)
            self.told.append(Secret(f"{key} of orion {name}", value))
            said = json.dumps(answer | {"answer": "without it"})
            said = said.replace(json.dumps(value), '""', 1)
        self.gathered.add(f"stdout of orion {name}", said)
        return answer

    def secrets(self) -> list[Secret]:
        """Every secret of this run."""
        kept = [*self.at_work, *in_use.secrets_in_use(self.data_dir, self.site.environment), *self.told]
        codes = [
            made for each in self.told if each.name.startswith("code ") for made in in_use.code(each.text)
        ]
        found = {(secret.name, secret.text): secret for secret in [*kept, *codes]}
        return list(found.values())


def _taken(answer: Any, key: str) -> str:
    value: str = answer["mqtt"][key] if "mqtt" in answer else answer[key]
    return value


def until_status(story: Story, status: str, *words: str) -> None:
    until(
        lambda: story.run(*words, "--json").get("status") == status,
        within=START_WITHIN,
        what=f"{status} in {' '.join(words)}",
    )
