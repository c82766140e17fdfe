"""Who calls, where a proxy stands between: nobody is believed who was not named."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from sqlmodel import select
from starlette.datastructures import Headers

from controller.api.access import proxies
from controller.services.users import UserRole
from controller.store.tables import SignIn
from tests.controller.api.conftest import Api
from tests.controller.api.people import PASSWORD, somebody

OURS = [ip_network(each) for each in ("10.0.0.0/24", "127.0.0.1", "fd00::/64")]
FOR, FORWARDED = "x-forwarded-for", "forwarded"


@pytest.mark.parametrize(
    ("connected", "headers", "caller"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "203.0.113.7")], "203.0.113.7"),
        ("203.0.113.1", [(FOR, "203.0.113.7")], "203.0.113.1"),  # no proxy of ours
        (
            "10.0.0.1",
            [(FOR, "198.51.100.1, 203.0.113.7")],
            "203.0.113.7",
        ),  # what is before it, the caller wrote
        ("10.0.0.1", [(FOR, "198.51.100.1"), (FOR, "203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(FOR, "198.51.100.1, 203.0.113.7, 10.0.0.9")], "203.0.113.7"),  # two of ours
        ("10.0.0.1", [(FOR, "10.0.0.8, 10.0.0.9")], "10.0.0.8"),  # one of ours asks itself
        ("10.0.0.1", [(FOR, "203.0.113.7:4711")], "203.0.113.7"),
        ("10.0.0.1", [(FOR, "2001:db8::7")], "2001:db8::7"),
        ("10.0.0.1", [(FOR, "[2001:db8::7]:4711")], "2001:db8::7"),
        ("::ffff:10.0.0.1", [(FOR, "::ffff:203.0.113.7")], "203.0.113.7"),
        ("fd00::1", [(FOR, "203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(FOR, "")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "somebody")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "203.0.113.7, somebody")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "203.0.113.7, somebody, 10.0.0.9")], "10.0.0.9"),
        ("10.0.0.1", [(FORWARDED, "for=203.0.113.7;proto=https")], "203.0.113.7"),
        ("10.0.0.1", [(FORWARDED, 'proto=https; For="[2001:db8::7]:4711"')], "2001:db8::7"),
        ("10.0.0.1", [(FORWARDED, "for=198.51.100.1, for=203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(FORWARDED, 'for=", for=203.0.113.7')], "203.0.113.7"),
        ("10.0.0.1", [(FORWARDED, "for=_hidden")], "10.0.0.1"),
        ("10.0.0.1", [(FORWARDED, "proto=https")], "10.0.0.1"),
        # a proxy that writes one of them passes the other one on
        ("10.0.0.1", [(FOR, "203.0.113.7"), (FORWARDED, "for=203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(FOR, "198.51.100.1"), (FORWARDED, "for=203.0.113.7")], "10.0.0.1"),
        ("10.0.0.1", [(FOR, "203.0.113.7"), (FORWARDED, "for=198.51.100.1")], "10.0.0.1"),
        ("", [(FOR, "203.0.113.7")], ""),
    ],
)
def test_the_last_stranger_is_who_calls(connected: str, headers: list[tuple[str, str]], caller: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]

    assert proxies.caller(connected, Headers(raw=raw), OURS) == caller


@pytest.mark.parametrize(("named", "address"), [(False, "127.0.0.1"), (True, "203.0.113.7")])
async def test_only_a_proxy_that_was_named_is_believed(api: Api, *, named: bool, address: str) -> None:
    await somebody(api, "mia", UserRole.OPERATOR)
    if named:
        parts = api.app.state.parts
        believing = parts.settings.model_copy(update={"trusted_proxies": (ip_network("127.0.0.1"),)})
        api.app.state.parts = replace(parts, settings=believing)
    form = {"grant_type": "password", "username": "mia", "password": PASSWORD}

    answer = await api.http.post("auth/token", data=form, headers={"X-Forwarded-For": "203.0.113.7"})

    assert answer.status_code == 200
    kept = await api.store.read(lambda session: session.exec(select(SignIn)).one().address)
    assert kept == address
