"""Killed between any two files, the certificates are whole at the next start."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from broker import certificates, config, files
from tests.broker.certificates.folder import DAY, NAMES, NOON, a_key, fits, listed


class Killed(BaseException):
    """The program ended here."""


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Dies before the n-th file is replaced, when n stands in the list."""
    left: list[int] = []
    whole = files.replace

    def replace(path: Path, content: str) -> None:
        if left:
            left[0] -= 1
            if left[0] < 0:
                left.clear()
                raise Killed
        whole(path, content)

    monkeypatch.setattr(files, "replace", replace)
    yield left
    left.clear()


@pytest.mark.parametrize("at", range(5))
def test_killed_between_any_two_files_it_recovers(tmp_path: Path, deaths: list[int], at: int) -> None:
    for moment in (NOON, NOON + 80 * DAY):
        deaths[:] = [at]
        with contextlib.suppress(Killed):
            certificates.ensure(tmp_path, NAMES, now=moment)
        deaths.clear()
        pinned = certificates.fingerprint(tmp_path) if (tmp_path / config.AUTHORITY).exists() else None

        certificates.ensure(tmp_path, NAMES, now=moment)

        assert fits(tmp_path)
        assert pinned in (None, certificates.fingerprint(tmp_path))


@pytest.mark.parametrize("at", range(3))
def test_killed_while_revoking_it_is_revoked_or_was_never_asked(
    directory: Path, deaths: list[int], at: int
) -> None:
    made = x509.load_pem_x509_certificate(certificates.issue(directory, "lamp", a_key(), now=NOON).encode())
    deaths[:] = [at]
    with contextlib.suppress(Killed):
        asyncio.run(certificates.revoke(directory, "lamp", now=NOON))
    deaths.clear()
    (given,) = certificates.given(directory)["lamp"]

    certificates.ensure(directory, NAMES, now=NOON)

    assert (made.serial_number in listed(directory)) is (given.state == "revoked")
    assert fits(directory)


def test_a_certificate_is_written_down_before_it_is_handed_out(directory: Path, deaths: list[int]) -> None:
    deaths[:] = [0]
    with pytest.raises(Killed):
        certificates.issue(directory, "lamp", a_key(), now=NOON)
    assert certificates.given(directory) == {}
