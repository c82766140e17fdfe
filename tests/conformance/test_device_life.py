"""Our node against a stranger's controller: sessions, birth and life."""

import json
import re
from itertools import pairwise

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.conformance.conftest import INSTANCE, Bench, Wired
from tests.conformance.device_side import (
    AT,
    CONNECT,
    SUBSCRIBE,
    UUID7,
    a_path,
    birth_of,
    making,
    outgoing,
    running,
)
from tests.conformance.wire_peer import properties, stamp, until
from tests.conformance.wiretap import read_connect, read_subscribe

pytestmark = pytest.mark.usefixtures("steady")


def test_a_device_connects_for_a_session_that_lasts(steady: Wired) -> None:
    packet = steady.tap.packets(line=0, kind=CONNECT)[0]
    connect = read_connect(packet)

    assert connect.level == 5
    assert not connect.clean_start
    assert connect.keep_alive == 30
    assert connect.extra.SessionExpiryInterval == 7 * 24 * 3600
    assert 0 < connect.extra.ReceiveMaximum < 65535
    assert connect.client_id == "steady"


def test_the_last_will_says_offline_with_a_delay(bench: Bench, steady: Wired) -> None:
    connect = read_connect(steady.tap.packets(line=0, kind=CONNECT)[0])
    will = json.loads(connect.will_payload)

    assert connect.will_topic == bench.topic("steady", "presence")
    assert connect.will_retain
    assert connect.will_qos == 1
    assert connect.will_extra.WillDelayInterval == 5
    assert will["state"] == "offline"
    assert will["reason"] == "connection_lost"
    assert will["boot_id"] == bench.online("steady").json()["boot_id"]


def test_commands_are_subscribed_so_that_a_retained_one_shows(bench: Bench, steady: Wired) -> None:
    filters: dict[str, tuple[int, bool, int]] = {}
    for packet in steady.tap.packets(line=0, kind=SUBSCRIBE):
        filters |= read_subscribe(packet)

    for kind in ("command", "cancel"):
        assert filters[bench.topic("steady", kind)] == (1, True, 2)
    assert filters[bench.topic("steady", "ack")][0] == 1


def test_birth_is_subscribe_profile_presence_heartbeats(bench: Bench, steady: Wired) -> None:
    bench.judge.expect(bench.topic("steady", "heartbeat"))
    until(lambda: "heartbeat" in birth_of(steady.tap, 0))
    order = birth_of(steady.tap, 0)

    first = order.index("profile")
    assert order[:first].count("subscribe") == order[:first].count("suback") > 0
    assert "subscribe" not in order[first:]
    assert order[first:] == ["profile", "presence", "heartbeat"]
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()
    presence = bench.online("steady").json()
    heartbeat = bench.judge.expect(bench.topic("steady", "heartbeat")).json()
    assert profile["boot_id"] == presence["boot_id"] == heartbeat["boot_id"]


def test_what_is_retained_is_so_and_nothing_else(bench: Bench, steady: Wired) -> None:
    command = making(bench, a_path(bench))
    bench.order("steady", command)
    bench.outcome(command)
    expected = {"profile": (1, True), "presence": (1, True), "heartbeat": (0, True), "reply": (1, False)}

    found = {topic.split("/")[4]: ((p.flags >> 1) & 3, bool(p.flags & 1)) for topic, p in outgoing(steady, 0)}

    assert found == {kind: how for kind, how in expected.items() if kind in found}
    assert set(expected) <= set(found)


def test_a_heartbeat_counts_and_measures(bench: Bench) -> None:
    topic = bench.topic("steady", "heartbeat")
    until(lambda: len(bench.judge.all(topic)) >= 3)
    beats = [seen.json() for seen in bench.judge.all(topic)]

    assert all(later["seq"] == earlier["seq"] + 1 for earlier, later in pairwise(beats))
    for beat in beats:
        assert AT.match(beat["at"])
        assert beat.get("uptime_s", 1) > 0
        for name in ("cpu_percent", "memory_percent", "battery_percent"):
            assert 0 <= beat.get(name, 0) <= 100
        for disk in beat.get("disks", []):
            assert {"mount", "percent", "free_gb"} <= disk.keys()
        assert None not in beat.values()


def test_a_profile_says_what_the_device_is_and_offers(bench: Bench) -> None:
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()

    assert profile["device_id"] == "steady"
    assert AT.match(profile["at"])
    assert UUID7.match(profile["boot_id"])
    assert profile["os"]["type"] in {"linux", "windows", "macos", "other"}
    assert {"name", "version"} <= profile["agent"].keys()
    assert profile["home"].startswith("/")
    assert profile["allowed_paths"] == [str(bench.files)]
    assert None not in profile.values()
    tools = {tool["name"]: tool for tool in profile["tools"]}
    assert 1 <= len(profile["tools"]) == len(tools) <= 200
    for name, tool in tools.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name)
        assert tool["parameters"]["type"] == "object"
        assert tool["risk"] in {"low", "medium", "high", "critical"}
        assert len(json.dumps(tool)) <= 16 * 1024


RISKS = {
    "low": "create_directory list_directory path_info search_files list_processes service_status system_info "
    "disk_usage network_info notify reload_config",
    "medium": "read_file write_file copy_path move_path open_app close_app take_screenshot restart_node",
    "high": "delete_path stop_process update_node",
    "critical": "run_command",
}
READ_ONLY = {
    "list_directory",
    "path_info",
    "search_files",
    "read_file",
    "list_processes",
    "service_status",
    "system_info",
    "disk_usage",
    "network_info",
    "take_screenshot",
}


def test_the_built_in_tools_have_the_names_and_risks_people_rely_on(bench: Bench) -> None:
    profile = bench.judge.expect(bench.topic("steady", "profile")).json()
    tools = {tool["name"]: tool for tool in profile["tools"]}

    for risk, names in RISKS.items():
        for name in names.split():
            assert tools[name]["risk"] == risk, name
            hints = tools[name].get("annotations", {})
            assert hints.get("readOnlyHint", False) == (name in READ_ONLY), name
    assert not {"restart_device", "shutdown_device"} & tools.keys()
    for name in ("create_directory", "read_file", "delete_path"):
        assert tools[name]["parameters"]["properties"]["path"]["format"] == "path"
    assert tools["open_app"]["parameters"]["properties"]["name"]["format"] == "app"


def test_a_clean_stop_says_so_and_the_next_start_has_another_boot_id(bench: Bench) -> None:
    first = bench.node("resting")
    born = bench.online("resting").json()
    first.stop()
    topic = bench.topic("resting", "presence")
    gone = bench.judge.expect(topic, boot_id=born["boot_id"], state="offline")

    assert gone.json()["reason"] == "stopped"
    mark = bench.judge.mark()
    away, late, retained, kept = (a_path(bench) for _ in range(4))
    resting = "resting"
    waiting = bench.command(resting, "create_directory", {"path": str(away)})
    bench.order(resting, waiting)
    lapsed = bench.command(resting, "create_directory", {"path": str(late)})
    bench.order(resting, lapsed, extra=properties(PacketTypes.PUBLISH, MessageExpiryInterval=1))
    stale = bench.command(resting, "create_directory", {"path": str(kept)}, expires_at=stamp(2.5))
    bench.order(resting, stale)
    lasting = bench.command(resting, "create_directory", {"path": str(retained)})
    bench.order(resting, lasting, retain=True)
    until(lambda: stamp() > stale["expires_at"])
    second = bench.node(resting)
    again = bench.online(resting, after=mark).json()

    assert again["boot_id"] != born["boot_id"]
    # the session lasted: what was sent meanwhile comes now, what ran out or was retained does nothing
    bench.outcome(waiting, resting)
    bench.outcome(stale, resting, status="expired")
    bench.fence(resting)
    assert away.is_dir()
    assert not late.exists()
    assert not kept.exists()
    assert not retained.exists()
    bench.judge.publish(bench.topic(resting, "command"), b"", retain=True)
    second.stop()


def test_a_killed_node_is_told_by_its_will_and_does_not_run_again_what_it_ran(bench: Bench) -> None:
    program = bench.node("killed")
    born = bench.online("killed").json()
    command = running(bench, "killed", 30, timeout_s=60)
    bench.order("killed", command)
    topic = bench.topic("killed", f"reply/{INSTANCE}")
    bench.judge.expect(topic, command_id=command["id"], status="accepted")
    program.kill()
    presence = bench.topic("killed", "presence")
    dead = bench.judge.mark()
    will = bench.judge.expect(presence, after=dead, within=10, state="offline")

    assert will.json()["boot_id"] == born["boot_id"]
    assert will.json()["reason"] == "connection_lost"
    # a node that comes back at once does not flap
    program = bench.node("killed")
    bench.online("killed", after=dead)
    bench.outcome(command, "killed", status="interrupted")
    bench.order("killed", command | {"attempt": 2})
    bench.fence("killed")
    until(lambda: bench.replies(command, "killed").count("interrupted") >= 2)
    assert set(bench.replies(command, "killed")) == {"accepted", "interrupted"}
    program.stop()


def test_a_short_reconnect_does_not_flap_and_is_a_birth_again(bench: Bench, steady: Wired) -> None:
    mark, line = bench.judge.mark(), steady.tap.lines
    born = bench.online("steady").json()
    unacked = making(bench, a_path(bench))
    bench.order("steady", unacked)
    bench.outcome(unacked)
    steady.tap.cut()
    presence = bench.online("steady", after=mark).json()
    bench.judge.expect(bench.topic("steady", "heartbeat"), after=mark)
    until(lambda: "heartbeat" in birth_of(steady.tap, line))

    assert presence["boot_id"] == born["boot_id"]
    order = birth_of(steady.tap, line)
    first = order.index("profile")
    assert order[first : first + 2] == ["profile", "presence"]
    assert order[first + 2 :].count("reply") >= 1  # the spool, before heartbeats
    assert order[:first].count("subscribe") == order[:first].count("suback")
    states = [seen.json()["state"] for seen in bench.judge.all(bench.topic("steady", "presence"), after=mark)]
    assert set(states) == {"online"}
