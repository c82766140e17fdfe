"""What can go wrong with an identity, as one tree. Each message is a sentence for a person.

* IdentityError
  - NameTaken
  - BadName
  - UnknownIdentity
  - BrokerUnreachable
  - ListUnusable
  - NotWritten
"""

from pathlib import Path

from broker.rights import Role

_KINDS = {
    Role.CONTROLLER: "a controller",
    Role.DEVICE: "a device",
    Role.JOINING: "an invitation",
    Role.GUEST: "a guest",
    Role.VIEWER: "a viewer",
    Role.OPERATOR: "an operator",
    Role.ADMIN: "an admin",
    Role.HOME_ASSISTANT: "Home Assistant",
    Role.DEBUG: "a debugging user",
    Role.PROBE: "a part of Orion itself",
    Role.KEEPER: "a part of Orion itself",
}


class IdentityError(Exception):
    """An identity cannot be made, found or changed."""


class NameTaken(IdentityError):
    """Devices, users and controllers share one name space; `role` is None where the name is none of ours."""

    def __init__(self, username: str, role: Role | None) -> None:
        whose = "somebody that Orion did not add" if role is None else _KINDS[role]
        sentence = f"The name {username!r} belongs to {whose} already."
        if role is Role.DEBUG:
            sentence += f" Its password is not said again; for a new one, remove it first: orion debug-user remove {username}"
        super().__init__(sentence)
        self.username = username
        self.role = role


class BadName(IdentityError):
    """The name cannot be used for this role."""


class UnknownIdentity(IdentityError):
    """Nobody has this name."""

    def __init__(self, username: str) -> None:
        super().__init__(f"The broker knows nobody named {username!r}.")
        self.username = username


class BrokerUnreachable(IdentityError):
    """The broker cannot be asked, or does not act in time; what it does may not be what was wanted."""


class ListUnusable(IdentityError):
    """The list of identities cannot be read. It is never replaced: everybody would lose name and password."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} {reason}. Restore it from a backup; or move it away, and add every device and user anew."
        )


class NotWritten(IdentityError):
    """The broker's files cannot be written: its disk is full or protected. Nothing that it goes by has changed."""

    def __init__(self, directory: Path, reason: str | None) -> None:
        self.said = (
            f"the broker's files in {directory} cannot be written ({reason or 'for an unknown reason'})"
        )
        super().__init__(f"{self.said[0].upper()}{self.said[1:]}. Make room there, and try again.")
