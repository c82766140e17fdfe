"""What is damaged or lost is made anew, except an authority, which nobody replaces by itself."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from broker import certificates, config
from broker.certificates import CertificateError, authority
from tests.broker.certificates.folder import NAMES, NOON, a_key, fits


@pytest.mark.parametrize("damage", ["", "half a file", None])
def test_a_damaged_server_certificate_is_made_anew(directory: Path, damage: str | None) -> None:
    path = directory / config.SERVER
    path.write_text(path.read_text()[:300] if damage is None else damage)

    assert certificates.ensure(directory, NAMES, now=NOON)

    assert fits(directory)


def test_a_damaged_authority_is_never_replaced_by_itself(directory: Path) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    path.write_text("half")

    with pytest.raises(CertificateError, match=r"Restore it from a backup.*join anew"):
        certificates.ensure(directory, NAMES, now=NOON)
    assert path.read_text() == "half"


@pytest.mark.parametrize(
    "left", [config.AUTHORITY, config.SERVER, config.REVOKED, f"{config.CERTIFICATES}/clients.json"]
)
def test_a_lost_authority_is_never_replaced_by_itself(directory: Path, left: str) -> None:
    certificates.issue(directory, "lamp", a_key(), now=NOON)
    folder = directory / config.CERTIFICATES
    for path in folder.iterdir():
        if path != directory / left:
            path.unlink()

    with pytest.raises(CertificateError, match=r"Restore it from a backup.*join anew"):
        certificates.ensure(directory, NAMES, now=NOON)
    assert list(folder.iterdir()) == [directory / left]

    folder.rename(directory / "away")
    assert certificates.ensure(directory, NAMES, now=NOON)


def test_an_authority_that_others_could_read_is_taken_from_their_eyes(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    path.chmod(0o644)

    certificates.ensure(directory, NAMES, now=NOON)

    assert path.stat().st_mode & 0o777 == 0o600
    assert "join anew" in caplog.text


def test_an_authority_with_anothers_key_is_damaged(directory: Path) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    other = authority.private_pem(ec.generate_private_key(ec.SECP256R1()))
    path.write_text(other + certificates.ca_pem(directory))

    with pytest.raises(CertificateError, match="damaged"):
        certificates.ensure(directory, NAMES, now=NOON)


def test_a_damaged_book_is_no_empty_list(directory: Path) -> None:
    (directory / config.CERTIFICATES / "clients.json").write_text("{}")

    with pytest.raises(CertificateError, match="damaged"):
        certificates.ensure(directory, NAMES, now=NOON)
