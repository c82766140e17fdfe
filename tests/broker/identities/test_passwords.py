"""Passwords are kept in private files, as hashes, except the controller's own."""

import stat
from pathlib import Path

import pytest

from broker.identities import Identities, hash_password, verify_password
from broker.rights import Role


def test_controller_keeps_its_password(identities: Identities) -> None:
    first = identities.ensure()
    assert identities.ensure() == first
    assert identities.all()["controller-main"] is Role.CONTROLLER


def test_lost_password_file_is_replaced(identities: Identities, tmp_path: Path) -> None:
    first = identities.ensure()
    (tmp_path / "broker" / "controller-main.password").unlink()
    assert identities.ensure().password != first.password


def test_password_file_that_opens_nothing_is_replaced(identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "broker" / "controller-main.password").write_text("half a change\n")
    credentials = identities.ensure()
    assert credentials.password != "half a change"
    assert identities.ensure() == credentials


@pytest.mark.parametrize("damaged", ["", "x", "$7$101$a$b", "$7$x$YQ==$YQ==", "$6$101$YQ==$YQ=="])
def test_damaged_hash_fits_no_password(damaged: str) -> None:
    assert verify_password("secret", hash_password("secret"))
    assert not verify_password("other", hash_password("secret"))
    assert not verify_password("secret", damaged)


def test_every_file_is_private(identities: Identities, tmp_path: Path) -> None:
    identities.add_device("a")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "broker").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


def test_no_password_is_written_but_the_controllers_own(identities: Identities, tmp_path: Path) -> None:
    password = identities.add_device("a")
    for path in (tmp_path / "broker").iterdir():
        assert password not in path.read_text()
