"""A name is given once, and only one that its role may have."""

import pytest

from broker.identities import BadName, Identities, NameTaken, UnknownIdentity
from broker.rights import Role


def test_names_are_given_once(identities: Identities) -> None:
    identities.add_device("a")
    identities.add_user("debug.a", Role.DEBUG)
    with pytest.raises(NameTaken, match=r"'a' belongs to a device already\.$"):
        identities.add_device("a")
    with pytest.raises(NameTaken, match=r"a debugging user already.*orion debug-user remove debug\.a$"):
        identities.add_user("debug.a", Role.DEBUG)


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "a/b", "+", "#", "%u", "a:b", "a\nb", "-a", "controller-main", "join-1", "a" * 64],
)
def test_name_that_is_no_device_id_is_refused(identities: Identities, name: str) -> None:
    with pytest.raises(BadName):
        identities.add_device(name)


@pytest.mark.parametrize("name", ["controller-x", "join-abcd", "a b", "a\nuser x", "+", "", "%u"])
def test_name_that_is_no_users_is_refused(identities: Identities, name: str) -> None:
    with pytest.raises(BadName):
        identities.add_user(name, Role.VIEWER)


@pytest.mark.parametrize("role", [Role.CONTROLLER, Role.DEVICE, Role.JOINING, Role.PROBE])
def test_role_that_is_no_users_is_refused(identities: Identities, role: Role) -> None:
    with pytest.raises(BadName):
        identities.add_user("ada", role)


@pytest.mark.parametrize("invite_id", ["", "abc", "ABCD", "ab-cd", "ab/cd", "+", "a" * 33])
def test_invitation_of_another_form_is_refused(identities: Identities, invite_id: str) -> None:
    with pytest.raises(BadName):
        identities.add_joining(invite_id, "x" * 43)


def test_unknown_name_cannot_be_removed_or_rotated(identities: Identities) -> None:
    with pytest.raises(UnknownIdentity):
        identities.remove("nobody")
    with pytest.raises(UnknownIdentity):
        identities.rotate("nobody")
