"""What `docs/wire.md` says that each role may do is what the broker lets it do."""

import pytest

from broker import rights
from broker.rights import Role
from schemas.document import prose
from schemas.topics import Topics

TOPICS = Topics()
OURS = {Role.PROBE, Role.KEEPER}  # names of the program itself, which nobody is given
NAMES = {Role.JOINING: "join-abcdefgh"}
SHOWN = {Role(each.role): each for each in prose.RIGHTS}


def test_every_role_that_somebody_can_have_is_shown() -> None:
    assert set(SHOWN) == set(Role) - OURS


@pytest.mark.parametrize("role", sorted(set(Role) - OURS))
def test_what_a_role_may_is_shown(role: Role) -> None:
    name = NAMES.get(role, "somebody")
    may, shown = rights.of(role, name, TOPICS), SHOWN[role]

    def filters(paths: tuple[str, ...]) -> set[str]:
        own = {"{device_id}": name, "{username}": name, "{invite_id}": name.removeprefix("join-")}
        found = set()
        for path in paths:
            for placeholder, value in {"{prefix}": TOPICS.prefix, **own}.items():
                path = path.replace(placeholder, value)
            found.add(path)
        return found

    assert filters(shown.publishes) == set(may.publish)
    assert filters(shown.reads) == {*may.read, *may.shared}
    assert filters(shown.hidden) == set(may.hidden)
