"""A full run of an installation, with everything that can be seen of it kept for the search.

Broker and controller as `orion up` runs them, a node that joined by a code, a third party's lamp with a
secret argument, people, mistakes, refusals, and two crashes.
"""

import contextlib
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.installation import START_WITHIN, Installation, Program
from tests.conformance.wire_peer import until
from tests.security import in_use
from tests.security.gathering import Sampler
from tests.security.story import members, mishaps, views
from tests.security.story.telling import Story


@contextmanager
def full_run(directory: Path) -> Iterator[Story]:
    """The run, told to its end; everything has stopped when it is handed over."""
    planted = directory / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(mishaps.FAILING)
    site = Installation(
        directory,
        PYTHONPATH=str(planted),
        ORION_NODE_POLICY=str(directory / "policy.toml"),
        ORION_ALLOWED_PATHS=str(directory),
        OLLAMA_API_KEY=secrets.token_urlsafe(32),
        OLLAMA_HOST=f"http://me:{secrets.token_urlsafe(32)}@127.0.0.1:9",
    )
    story = Story(site)
    policy = directory / "policy.toml"
    policy.write_text(f'allowed_paths = ["{directory}"]\nallow_run_command = true\n')
    policy.chmod(0o600)
    with (
        Sampler(lambda: {each.process.pid for each in site.programs}) as sampler,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(site.stop)
        _begin(story)
        with _watching(story):
            members.people_and_devices(story)
            views.looks(story)
            story.at_work = in_use.secrets_in_use(story.data_dir)
            mishaps.mistakes(story)
            members.goodbyes(story)
        mishaps.crash(story)
        site.stop()
        views.files(story)
    for program in site.programs:
        story.gathered.add(f"log of {program.log.stem}", program.said())
    story.gathered.add("command lines", "\n".join(sampler.command_lines))
    for program_name, environment in sampler.environments.items():
        if program_name != "controller":  # it works with what stands there
            story.gathered.add(f"environment of {program_name}", "\n".join(environment))
    story.gathered.add("core limits", json.dumps(sampler.core_limits))
    yield story


def _begin(story: Story) -> None:
    site = story.site
    up = Program(["up", "--no-node", "--json"], site.environment, site.directory / "up.log")
    site.programs.append(up)
    up.until_said("Orion is up")


@contextmanager
def _watching(story: Story) -> Iterator[None]:
    """A debugging user sees everything, by the command that is printed for it."""
    made = story.run("debug-user", "create", "--json", says=("password",))
    command = made["command"].replace(f"'{made['topic']}'", f"'{made['topic']}' -t '#' -t '$SYS/#' -t '+/#'")
    seen = story.site.directory / "wire"
    with seen.open("wb") as out:
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", f"exec env {command}"], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: b"controllers/main/presence" in seen.read_bytes(), within=START_WITHIN, what="the wire")
        yield
    finally:
        watcher.terminate()
        watcher.wait(START_WITHIN)
        story.wire = seen.read_bytes()
        story.gathered.add("the wire", _without_commands(story.wire))


def _without_commands(wire: bytes) -> bytes:
    """A secret argument travels to its device, and only there."""
    return b"\n".join(line for line in wire.splitlines() if b"/devices/lock/command {" not in line)
