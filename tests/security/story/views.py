"""What is shown to a person, to a program, and to whoever reads the disk."""

from collections.abc import Iterator
from pathlib import Path

import httpx
from sqlalchemy import URL, create_engine, select, table, text
from sqlalchemy.pool import NullPool

from tests.conformance.installation import START_WITHIN
from tests.security import in_use
from tests.security.story.telling import Story

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


def looks(story: Story) -> None:
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


def files(story: Story) -> None:
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
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)
    with engine.connect() as database:
        names = database.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        for name in names:
            for row in database.execute(select(text("*")).select_from(table(name))).mappings():
                shown = {each: value for each, value in row.items() if each not in COLUMNS}
                yield f"{name} {shown}"
