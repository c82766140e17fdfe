"""A full run of an installation, with everything that can be seen of it kept for the search.

Broker and controller as `orion up` runs them, a node that joined by a code, a third party's lamp with a
secret argument, people, mistakes, refusals, and two crashes.
"""

import contextlib
import json
import secrets
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.conformance.installation import ORION, START_WITHIN, Installation, Program
from tests.conformance.wire_peer import Peer, Refused, stamp, until
from tests.ports import free_port
from tests.security import in_use
from tests.security.gathering import Gathered, Sampler
from tests.security.in_use import Secret

LOCK = {
    "name": "unlock",
    "description": "Opens the door.",
    "risk": "low",
    "parameters": {
        "type": "object",
        "properties": {"pin": {"type": "string", "minLength": 8, "maxLength": 60, "writeOnly": True}},
        "required": ["pin"],
    },
}
# What nobody foresees: at SIGUSR1 a program fails where it stands.
FAILING = """
import signal
def fail(*_):
    raise RuntimeError("failed for the test")
signal.signal(signal.SIGUSR1, fail)
"""
REFUSES = "CREATE TRIGGER refuse BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'refused for the test'); END"
# Where the database keeps what it needs: of an order until it has ended, of a code until it is used.
COLUMNS = ("secret_parameters", "proof_key")
PAGES = (
    *(
        "approvals",
        "approvals?status=all",
        "commands",
        "devices",
        "devices/laptop",
        "devices/lock",
        "devices/guest",
    ),
    *("audit?limit=1000", "events", "health", "system/doctor", "users"),
)
# Kinds of secrets that this run has in use at least.
LEAST = frozenset(
    {
        *("token", "controller-main.password", "probe.health.password", "authority.pem", "server.pem"),
        *("signing key 0", "password of laptop", "key of laptop", "password of debug.user"),
        *(
            "password of orion debug-user create",
            "password of orion devices add",
            "password of orion users add",
        ),
        *("password of orion users rotate", "join code", "join secret", "join password", "join proof"),
        *("ollama_host", "ollama_api_key", "database password", "guessed password"),
        *("pin of the lock", "another pin", "pin that nobody takes", "a pin that does not fit"),
    }
)
# Where was looked, and what stands there: nobody finds a secret in an empty log.
PLACES = {
    "log of up": "RuntimeError: failed for the test",
    "log of node": "ready",
    "the wire": "orion/v1/devices/laptop/presence",
    "what an admin hears": "orion/v1/users/mia/response",
    "command lines": "mosquitto_sub",
    "environment of mosquitto": "PATH=",
    "environment of broker": "ORION_DATA_DIR=",
    "environment of tool": "PATH=",
    "the database controller/orion.db": "command.",
    "the database node/laptop/journal.db": "succeeded",
    "the file broker/passwords": "controller-main:",
    "stdout of orion run lock": "the value",
    "stdout of orion commands show": "***",
    "stdout of orion audit list": "device.invited",
    "stdout of orion config show": "***",
    "stdout of orion doctor": "me",
    "stderr of orion controller --json": "***",
    "stderr of orion run lock": "IntegrityError",
    "answer of audit?limit=1000": "device.invited",
    "answer of commands": "***",
    "answer to a stranger": "A valid token is needed",
}
HUMAN = (
    ("devices", "list"),
    ("devices", "show", "lock"),
    ("devices", "show", "laptop"),
    ("commands", "list"),
    ("audit", "list"),
    ("events", "list"),
    ("approvals", "list"),
    ("users", "list"),
    ("config", "show"),
    ("doctor",),
)


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


@contextmanager
def full_run(directory: Path) -> Iterator[Story]:
    """The run, told to its end; everything has stopped when it is handed over."""
    planted = directory / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(FAILING)
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
            _people_and_devices(story)
            _looks(story)
            story.at_work = in_use.secrets_in_use(story.data_dir)
            _mistakes(story)
            _goodbyes(story)
        _crash(story)
        site.stop()
        _files(story)
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


def _people_and_devices(story: Story) -> None:
    site = story.site
    invited = story.run(
        "devices", "invite", "laptop", "--adopt", "--profile", "manage", "--json", says=("code",)
    )
    where = f"127.0.0.1:{site.tls_port}"
    story.run("node", "join", where, "--no-run", "--json", stdin=invited["code"] + "\n")
    own = {name: site.environment[name] for name in ("OLLAMA_API_KEY", "OLLAMA_HOST")}
    environment = {name: value for name, value in site.environment.items() if name not in own}
    node = Program(["node"], environment, site.directory / "node.log")
    site.programs.append(node)
    node.until_said("ready")
    _until(story, "online", "devices", "show", "laptop")
    story.run("run", "laptop", "create_directory", f"path={site.directory}/Test", "--json")
    story.run("run", "laptop", "create_directory", "path=/etc/orion", "--json")
    asked = story.run("run", "laptop", "run_command", "command=sleep 2", "--no-wait", "--json")
    if asked["approval_id"]:
        story.run("approvals", "approve", asked["approval_id"], "--json")
    _until(story, "succeeded", "commands", "show", asked["command_id"])
    story.run("ask", "what is in the folder Test on laptop?", "--json")

    lock = story.run("devices", "add", "lock", "--adopt", "--json", says=("password",))
    user = story.run("users", "add", "mia", "--role", "admin", "--json", says=("password",))
    with _lock(story, lock["mqtt"]["password"]), Peer(site.port, "mia", user["mqtt"]["password"]) as mia:
        mia.subscribe("orion/v1/#", "orion/v1/users/mia/response")
        mia.publish(
            "orion/v1/users/mia/request", {"id": "r1", "text": "which devices are online?", "at": stamp()}
        )
        mia.expect("orion/v1/users/mia/response", within=START_WITHIN, type="final")
        pin = a_secret("pin of the lock")
        story.told.append(pin)
        done = story.run("run", "lock", "unlock", "pin=-", "--json", stdin=pin.text + "\n")
        assert done["status"] == "succeeded", done
        story.run("commands", "show", done["command_id"])
        story.run("commands", "show", done["command_id"], "--json")
    for seen in mia.seen:
        if "/devices/lock/command" not in seen.topic:
            story.gathered.add("what an admin hears", seen.topic.encode() + b" " + seen.payload)
    story.run("users", "rotate", "mia", "--json", says=("password",))


@contextmanager
def _lock(story: Story, password: str) -> Iterator[None]:
    """A third party's device that takes its secret and is silent about it."""
    from tests.conformance.fake_device import FakeDevice

    device = FakeDevice(story.site.port, "lock", password)
    device.birth([LOCK])
    device.fence()
    stop = threading.Event()

    def answer() -> None:
        while not stop.is_set():
            for seen in device.peer.all("orion/v1/devices/lock/command"):
                command = seen.json()
                if command["id"] not in answered:
                    answered.add(command["id"])
                    device.reply(command, "succeeded", result={})
            stop.wait(0.02)

    answered: set[str] = set()
    answering = threading.Thread(target=answer, name="lock")
    answering.start()
    try:
        yield
    finally:
        stop.set()
        answering.join()
        device.close()


def _looks(story: Story) -> None:
    """What a person and what a program is shown."""
    for words in HUMAN:
        story.run(*words)
        story.run(*words, "--json")
    token = (story.data_dir / "controller" / "token").read_text().strip()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{story.site.http_port}/api/v1/", timeout=START_WITHIN
    ) as http:
        for page in PAGES:
            answer = http.get(page, headers={"Authorization": f"Bearer {token}"})
            story.gathered.add(f"answer of {page}", f"{answer.headers}{answer.text}")
        for wrong in ({"Authorization": "Bearer wrong"}, {}):
            answer = http.post("commands", headers=wrong, json={"arguments": {}})
            story.gathered.add("answer to a stranger", f"{answer.headers}{answer.text}")


def _mistakes(story: Story) -> None:
    site = story.site
    guessed, postgres = a_secret("guessed password"), a_secret("database password")
    pin, untaken = a_secret("another pin"), a_secret("pin that nobody takes")
    long = Secret("a pin that does not fit", secrets.token_urlsafe(64))
    story.told += [guessed, postgres, pin, untaken, long]
    for name in ("lock", "nobody", "mia"):
        with contextlib.suppress(Refused):
            Peer(site.port, name, guessed.text).connect()
    # it does not fit, and nobody is there to take it
    for given in (long.text, untaken.text):
        story.run("run", "lock", "unlock", "pin=-", "--no-wait", "--json", stdin=given + "\n")
    story.run("node", "join", "127.0.0.1:9", "--no-run", stdin="not-a-code\n")
    url = f"postgresql+psycopg://orion:{postgres.text}@127.0.0.1:9/orion"
    story.run(
        *("controller", "--json"),
        ORION_DATABASE_URL=url,
        ORION_DATA_DIR=str(site.directory / "other"),
        ORION_HTTP_PORT=str(free_port()),
    )
    story.run(
        "config", "show", ORION_DATABASE_URL=url, ORION_MQTT_URL=f"mqtts://orion:{postgres.text}@127.0.0.1"
    )
    _database_refuses(story, pin)
    _fail(story)


def _database_refuses(story: Story, pin: Secret) -> None:
    """The database fails in the middle of recording an order with a secret in it."""
    path = story.data_dir / "controller" / "orion.db"
    with contextlib.closing(sqlite3.connect(path, timeout=START_WITHIN)) as database:
        (table,) = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%secret_parameters%'"
        ).fetchone()
        database.execute(REFUSES.format(table))
        story.run("run", "lock", "unlock", "pin=-", "--no-wait", "--json", stdin=pin.text + "\n")
        database.execute("DROP TRIGGER refuse")


def _fail(story: Story) -> None:
    """The controller fails where it stands, says how, and goes on."""
    up = story.site.programs[0]
    (controller,) = (
        each for each in psutil.Process(up.process.pid).children() if "controller" in each.cmdline()
    )
    controller.send_signal(signal.SIGUSR1)
    up.until_said("RuntimeError: failed for the test")


def _crash(story: Story) -> None:
    """`orion up` ends with a traceback, and everything with it."""
    up = story.site.programs[0]

    def ended() -> bool:
        # in a callback of its loop it survives
        up.process.send_signal(signal.SIGUSR1)
        return up.process.poll() is not None

    until(ended, within=START_WITHIN, what="the crash")


def _goodbyes(story: Story) -> None:
    _until(story, "online", "devices", "show", "laptop")
    story.run("devices", "remove", "lock", "--yes", "--json")
    story.run("users", "remove", "mia", "--yes", "--json")
    story.run("audit", "list", "--json")
    story.run("debug-user", "remove", "--json")


def _files(story: Story) -> None:
    """What stays behind on the disk, but for the files and columns that are there to keep it."""
    kept = {path for pattern in in_use.KEPT for path in story.data_dir.glob(pattern)}
    for path in sorted(story.data_dir.rglob("*")):
        name = str(path.relative_to(story.data_dir))
        if name == "broker/mosquitto.db":
            # orders wait there for their devices as they are
            content = path.read_bytes()
            for secret in story.told:
                content = content.replace(secret.text.encode(), b"") if "pin" in secret.name else content
            story.gathered.add(f"the file {name}", content)
        elif path.suffix == ".db":
            story.gathered.add(f"the database {name}", "\n".join(_rows(path)))
        elif path.is_file() and path not in kept and not name.endswith(("-wal", "-shm")):
            story.gathered.add(f"the file {name}", path.read_bytes())


def _rows(path: Path) -> Iterator[str]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            found = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of the database's own
            names = [column[0] for column in found.description]
            for row in found:
                shown = {each: value for each, value in zip(names, row, strict=True) if each not in COLUMNS}
                yield f"{table} {shown}"


def _until(story: Story, status: str, *words: str) -> None:
    until(
        lambda: story.run(*words, "--json").get("status") == status,
        within=START_WITHIN,
        what=f"{status} in {' '.join(words)}",
    )
