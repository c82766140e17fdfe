"""Schemathesis beside a running installation: a real controller, its broker, its store and a device.

The description that it reads is the API's own; only what stands there as an example of a name
is a name that this installation has, so that more than "not found" comes of it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.orion.installation import Installation

Json = dict[str, Any]

SHORT = "examples,coverage,fuzzing"
LONG = f"{SHORT},stateful"
ENDLESS = "/api/v1/stream"  # its answer has no end; tests/controller/api/live looks at it
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
SPARE = {
    "device_id": "spare",
    "username": "bob",
}  # may be taken away: the others stay for those who come after
ENDING = ("revoke", "rotate", "disable", "certificate", "enrol", "end")


def examine(
    installation: Installation,
    folder: Path,
    *,
    phases: str,
    examples: int,
    seed: int | None,
    within_s: float | None,
) -> "subprocess.CompletedProcess[str]":
    """What it says, in the end; without a seed it does the same each time."""
    address = f"http://127.0.0.1:{installation.http_port}"
    token = (installation.home / "data" / "controller" / "token").read_text(encoding="ascii").strip()
    with httpx.Client(
        base_url=f"{address}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ) as client:
        described = with_names(client.get("openapi.json").json(), furnish(client))
    path = folder / "openapi.json"
    path.write_text(json.dumps(described), encoding="utf-8")
    settings = folder / "schemathesis.toml"
    settings.write_text('headers = { Authorization = "Bearer ${ORION_TOKEN}" }\n', encoding="utf-8")
    return subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run", str(path)),
            *("--url", address, "--phases", phases, "--max-examples", str(examples)),
            *("--exclude-path", ENDLESS),
            *("--checks", ",".join(CHECKS), "--continue-on-failure", "--workers", "1"),
            *("--suppress-health-check", "all", "--warnings", "off", "--no-color", "--request-timeout", "20"),
            *(
                ("--generation-deterministic",)
                if seed is None
                else ("--generation-database", "none", "--seed", str(seed))
            ),
        ],
        cwd=folder,
        env=os.environ | {"ORION_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_s,
        check=False,
    )


def furnish(client: httpx.Client) -> Json:
    """Have something of each kind there; its names, by the parameter that takes them."""

    def done(method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        answer = client.request(method, path, json=body or {}, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        found: Json = answer.json()
        return found

    (laptop,) = (each["device_id"] for each in client.get("devices").json()["items"])
    for each in ("router", SPARE["device_id"]):
        done("POST", "devices", {"device_id": each, "groups": ["workshop"]})
    for each in ("ada", SPARE["username"]):
        done("POST", "users", {"username": each, "role": "viewer"})
    done("PUT", "users/ada/grants/group/workshop", {"role": "operator"})
    done("PUT", "memory/backup day", {"value": "Friday"})
    ask = client.post("ask", json={"text": f"delete the folder /nowhere/Test on {laptop}"})
    looked = {"device_id": laptop, "tool": "system_info", "arguments": {}}
    return {
        "device_id": laptop,
        "other_id": "router",
        "username": "ada",
        "command_id": done("POST", "commands", looked, Prefer="wait=10")["command_id"],
        "approval_id": (client.get("approvals").json()["items"] or [{}])[0].get("approval_id"),
        "session_id": json.loads(ask.text.splitlines()[-1])["session_id"],
        "key_id": done("POST", "keys", {"name": "fuzzing", "scopes": ["commands:read"]})["key_id"],
        "schedule_id": done("POST", "schedules", looked | {"cron": "0 7 * * 1"})["schedule_id"],
        "key": "backup day",
        "name": "workshop",
    }


def with_names(described: Json, names: Json) -> Json:
    """The description with these names as examples; what takes something away gets what may go."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            ends = method == "delete" or path.rsplit("/", 1)[-1] in ENDING
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and (name := names.get(parameter["name"])) is not None:
                    parameter["example"] = SPARE.get(parameter["name"], name) if ends else name
    return described
