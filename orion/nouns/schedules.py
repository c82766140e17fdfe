"""`orion schedules`: what is done again and again, at times of its own."""

from functools import partial
from typing import Annotated, Any

import typer

from orion import cadence, members, pages, planned, receipts, words
from orion.client import Client, ClientError, Json, segment
from orion.exits import Exit
from orion.nouns.run import PATIENCE, properties_of
from orion.verbs import Invocation, noun, verb

Id = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="The schedule's id, as `orion schedules list` has it.")
]
COLUMNS = {
    "schedule_id": "schedule",
    "name": "name",
    "does": "does",
    "when": "when",
    "next": "next",
    "last": "last",
    "owner": "of",
}
RUNS = {
    "at": "at",
    "outcome": "outcome",
    "status": "command is",
    "command_id": "command",
    "reason": "why",
}


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "schedules", "What is done again and again, by the clock, with what you may then.")
    verb(
        group,
        "add",
        example='orion schedules add --cron "0 7 * * 1-5" --run laptop create_directory path=Today\n'
        'orion schedules add --cron "30 2 * * *" --zone Europe/Amsterdam --missed skip --group lab disk_usage',
    )(add)
    verb(group, "list", example="orion schedules list --device laptop")(listed)
    verb(group, "show", example="orion schedules show 0199f6a2-7c00-7000-8000-000000000008")(show)
    verb(group, "runs", example="orion schedules runs 0199f6a2-7c00-7000-8000-000000000008")(runs)
    verb(
        group,
        "pause",
        example='orion schedules pause 0199f6a2-7c00-7000-8000-000000000008 --reason "on holiday"',
    )(pause)
    verb(group, "resume", example="orion schedules resume 0199f6a2-7c00-7000-8000-000000000008")(resume)
    verb(group, "remove", example="orion schedules remove 0199f6a2-7c00-7000-8000-000000000008 --yes")(remove)


def add(
    invocation: Invocation,
    cron: Annotated[
        str,
        typer.Option(
            "--cron",
            metavar="CRON",
            help="Minute, hour, day, month, weekday: '0 7 * * 1-5'. 0 and 7 are Sunday.",
        ),
    ],
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="One of its tools, see `orion devices show`.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The tool's arguments.")
    ] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="DEVICE", help="The device's id.")] = None,
    group: Annotated[
        str | None, typer.Option("--group", metavar="NAME", help="Every device that is in this group then.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone", metavar="ZONE", help="Whose clock, as Europe/Amsterdam. The controller's unless said."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What you call it.")] = None,
    missed: Annotated[
        str,
        typer.Option(
            "--missed",
            metavar="HOW",
            help="Times at which the controller was off: skip, once (for all), or all.",
        ),
    ] = "once",
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="DURATION",
            help="How long each run may wait before it must not run any more. Default 60s, with --when-online 1d.",
        ),
    ] = None,
    when_online: Annotated[
        bool,
        typer.Option("--when-online", help="Each run waits for a device that is away, until it expires."),
    ] = False,
    condition: Annotated[
        str | None,
        typer.Option(
            "--if", metavar="CONDITION", help="Run only if this holds right before, as of `orion run`."
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option("--rate", metavar="RATE", help="Of a group, start at most so many: 5/s, 30/m."),
    ] = None,
    max_in_flight: Annotated[
        int | None,
        typer.Option(
            "--max-in-flight", metavar="N", min=1, help="Of a group, at most so many at the same time."
        ),
    ] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(
            "--stop-after", metavar="N", min=1, help="Of a group, start no more after so many failures."
        ),
    ] = None,
) -> None:
    """Have a tool run at the times of a cron, by the same permission as everything else, asked for at each of them.

    It is read back with its next times. When you may not do it any more it says so and pauses.
    """
    client = invocation.client
    whom = _whom(run, group)
    cron = cron if invocation.terminal.json else words.cron(cron)  # a program is told by the API
    example = whom["device_id"] if group is None else members.example(client, group)
    properties = properties_of(client, example, tool)
    limits = {
        "rate_per_s": None if rate is None else words.rate(rate),
        "max_in_flight": max_in_flight,
        "stop_after": stop_after,
    }
    named: Json = {"zone": zone, "name": name, **limits}
    body: Json = whom | {
        "cron": cron,
        "missed": missed,
        "tool": tool,
        "arguments": words.arguments(arguments or [], properties),
        **{key: value for key, value in named.items() if value is not None},
    }
    if when_online:
        body |= {"when_online": True, "valid_s": PATIENCE}
    if expires is not None:
        body["valid_s"] = words.duration(expires)
    if condition is not None:
        body["condition"] = words.condition(condition, lambda each: properties_of(client, example, each))
    made = client.post("/schedules", body)
    terminal = invocation.terminal
    if not terminal.answer(made):
        _read_back(invocation, made)
        if _asks(client, made):
            terminal.say("Each run will wait for a person's yes, as your policy asks.")
        terminal.write(made["schedule_id"])


def listed(
    invocation: Invocation,
    device: Annotated[str | None, typer.Option("--device", metavar="ID", help="Of this device only.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 100,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """Your schedules, the newest first; an administrator sees everybody's."""
    return pages.show(
        invocation,
        "/schedules",
        COLUMNS,
        none='There are no schedules yet: orion schedules add --cron "0 7 * * 1-5" --run DEVICE TOOL',
        limit=limit,
        cursor=cursor,
        everything=everything,
        in_words=planned.in_words,
        device_id=device,
    )


def show(invocation: Invocation, schedule: Id) -> None:
    """One schedule: what it does, its next times, and why it is paused if it is."""
    found = invocation.client.get(f"/schedules/{segment(schedule)}")
    terminal = invocation.terminal
    if terminal.answer(found):
        return
    paused = found["paused"]
    terminal.facts(
        {
            "schedule": found["schedule_id"],
            "name": found["name"],
            "of": found["owner"],
            "tool": found["tool"],
            "arguments": " ".join(receipts.words(found["arguments"])),
            "device": found["device_id"],
            "group": found["group"],
            "when": f"{cadence.said(found['cron'])}, {found['zone']}",
            "cron": found["cron"],
            "next": ", ".join(cadence.moment(each, found["zone"]) for each in found["upcoming"]),
            "missed": found["missed"],
            **planned.terms(found),
            "paused": None if paused is None else planned.pause(paused, found["zone"]),
            "last": planned.last(found),
        }
    )


def runs(
    invocation: Invocation,
    schedule: Id,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 20,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """The last runs of a schedule, the newest first, with what became of them."""
    path = f"/schedules/{segment(schedule)}"
    zone = "UTC" if invocation.terminal.json else invocation.client.get(path)["zone"]
    return pages.show(
        invocation,
        f"{path}/runs",
        {"planned_at": f"planned, {zone}"} | RUNS,
        in_words=partial(planned.run, zone=zone),
        none="Its time has not come yet.",
        limit=limit,
        cursor=cursor,
        everything=everything,
    )


def pause(
    invocation: Invocation,
    schedule: Id,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for whoever wonders.")
    ] = None,
) -> None:
    """Have a schedule run no more until it is resumed."""
    body = None if reason is None else {"reason": reason}
    found = invocation.client.post(f"/schedules/{segment(schedule)}/pause", body)
    if not invocation.terminal.answer(found):
        invocation.terminal.say(f"{found['name']} is paused")


def resume(invocation: Invocation, schedule: Id) -> None:
    """Have a schedule run again, from its next time on. What went by meanwhile is not made up for."""
    found = invocation.client.post(f"/schedules/{segment(schedule)}/resume")
    if not invocation.terminal.answer(found):
        _read_back(invocation, found)


def remove(
    invocation: Invocation,
    schedule: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Take a schedule away, with its runs. What it has ordered goes on."""
    terminal = invocation.terminal
    path = f"/schedules/{segment(schedule)}"
    if terminal.asks and not yes:
        found = invocation.client.get(path)
        if not terminal.confirm(
            f"Remove {found['name']}: {planned.does(found)} {cadence.said(found['cron'])}?"
        ):
            terminal.say("Nothing was changed")
            return Exit.FAILED
    invocation.client.delete(path, match="*")
    if not terminal.answer({"schedule_id": schedule, "removed": True}):
        terminal.say(f"Removed {schedule}")
    return Exit.DONE


def _read_back(invocation: Invocation, found: Json) -> None:
    """When it runs, what each run is, and on what terms."""
    invocation.terminal.say(f"{found['name']}: {planned.reading(found)}")
    invocation.terminal.say(planned.order(found))


def _asks(client: Client, made: Json) -> bool:
    """Whether the policy asks a person about what was just made, so by its owner; of a group it is not told."""
    if made["device_id"] is None:
        return False
    order = {name: made[name] for name in ("device_id", "tool", "arguments", "condition")}
    try:
        return bool(client.post("/commands/explain", order)["decision"] == "ask")
    except ClientError:  # it is made whatever becomes of this question
        return False


def _whom(run: str | None, group: str | None) -> dict[str, Any]:
    """Whom it is for, of what was typed."""
    if run is not None and group is not None:
        raise typer.BadParameter("name either --run DEVICE or --group NAME", param_hint="--run")
    if run is None and group is None:
        raise typer.BadParameter(
            'on which device? Write: orion schedules add --cron "0 7 * * 1-5" --run DEVICE TOOL [KEY=VALUE]..., '
            "or --group NAME in place of --run DEVICE",
            param_hint="--run",
        )
    return {"device_id": run} if group is None else {"group": group}
