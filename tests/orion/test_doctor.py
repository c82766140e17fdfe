"""The doctor names the devices that a person should look at, and only those."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates
from controller.store import backups
from orion import receipts
from orion.config.sources import load
from orion.nouns import doctor
from tests.databases import Databases

WELL: dict[str, Any] = {"stale": [], "conflicting": [], "skewed": {}, "shut_out": {}}


def test_devices_that_are_well_are_not_mentioned() -> None:
    assert list(doctor._ailing(WELL)) == []


def test_each_ailment_is_found_with_its_remedy() -> None:
    told = {
        "stale": ["pump", "lamp"],
        "conflicting": ["laptop"],
        "skewed": {"laptop": -86_400.2, "pump": 31},
        "shut_out": {"loud": "2026-02-12T12:05:00.000Z"},
    }

    found = list(doctor._ailing(told))

    assert [(check["check"], check["state"], check["found"]) for check in found] == [
        ("silent devices", "stale", "pump, lamp"),
        ("doubled devices", "wrong", "laptop"),
        (
            "devices shut out",
            "wrong",
            f"loud until {receipts.clock('2026-02-12T12:05:00.000Z')}: sends too much",
        ),
        ("device clocks", "wrong", "laptop (24 hours behind), pump (31 seconds ahead)"),
    ]
    assert all(check["remedy"] for check in found)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def certified(directory: Path, at: datetime) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in doctor._certificates(directory, at)}


def test_certificates_that_hold_are_shown_with_their_end_and_names(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, ("localhost", "192.0.2.7"), now=NOON)

    found = certified(tmp_path, NOON)

    assert {check["state"] for check in found.values()} == {"ok"}
    assert found["certificate"]["found"] == "until 2026-05-30, for localhost, 192.0.2.7"
    assert found["authority"]["found"] == "until 2046-02-24"


def test_an_authority_near_its_end_is_told_with_the_remedy(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, ("localhost",), now=NOON)

    found = certified(tmp_path, NOON + timedelta(days=20 * 365 - 300))

    assert found["authority"]["state"] == "wrong"
    assert "join anew" in found["authority"]["remedy"]


def test_an_expired_certificate_is_told(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, ("localhost",), now=NOON)

    assert certified(tmp_path, NOON + timedelta(days=91))["certificate"]["state"] == "wrong"


def test_missing_certificates_are_told(tmp_path: Path) -> None:
    assert certified(tmp_path, NOON)["certificates"]["state"] == "wrong"


def test_devices_whose_certificates_end_soon_are_named(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, ("localhost",), now=NOON)
    for name, issued_at in (("lamp", NOON), ("pump", NOON), ("pump", NOON + timedelta(days=300))):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        certificates.issue(tmp_path, name, key, now=issued_at)

    found = certified(tmp_path, NOON + timedelta(days=710))

    assert found["devices' certificates"]["found"] == "lamp (2028-02-29)"
    assert found["devices' certificates"]["state"] == "ending"


def test_a_broker_with_more_names_than_it_carries_is_told() -> None:
    (well,) = doctor._identities({"count": 1_000, "bound": 1_000, "faults": []})
    (crowded,) = doctor._identities({"count": 1_001, "bound": 1_000, "faults": []})

    assert (well["state"], crowded["state"]) == ("ok", "crowded")
    assert "1001 names; it carries 1000 well" in crowded["found"]


def test_a_broker_of_our_own_has_no_bound() -> None:
    (found,) = doctor._identities({"count": 50_000, "bound": None, "faults": []})

    assert (found["state"], found["found"]) == ("ok", "50000 names")


def test_what_undoes_the_identities_of_a_broker_is_told() -> None:
    (fault,) = doctor._identities({"count": None, "bound": 1_000, "faults": ["it lets everybody in"]})

    assert (fault["state"], fault["found"]) == ("open", "it lets everybody in")


def test_how_old_the_newest_backup_is_counts_where_some_are_wanted(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    def found(hours: int, at: datetime) -> str:
        settings = load({"data_dir": tmp_path, "backup_hours": hours}, {}).settings
        return str(doctor._backups(settings, at)["state"])

    assert found(24, NOON) == "missing"
    (tmp_path / "backups").mkdir()
    with sqlite_databases.migrated() as url:
        source = backups.Source(url, tmp_path / "heads.jsonl", "main")
        backups.make(source, tmp_path / "backups", now=NOON)

    assert found(24, NOON + timedelta(hours=47)) == "ok"
    assert found(24, NOON + timedelta(hours=49)) == "old"
    assert found(0, NOON + timedelta(days=900)) == "ok"
