"""The registry as the assistant sees it: names to recognise, adopted tools to offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from controller.assistant.candidates import KnownDevice
from controller.assistant.toolbox import Offer
from controller.services import arguments, devices, targets
from controller.services.actors import Actor, Role
from controller.services.targets import Target
from controller.store.store import Store
from controller.store.tables import Device
from schemas.paths import Flavour
from schemas.wire import JsonObject


@dataclass(frozen=True, slots=True)
class Fleet:
    """The devices that the speaker sees, at the start of a turn."""

    known: tuple[KnownDevice, ...]
    targets: dict[str, Target]

    def offer(self, device: KnownDevice) -> Offer:
        """The device with the tools that were adopted and that its owner lets be used."""
        target = self.targets[device.device_id]
        usable = [
            offered.tool
            for name, offered in target.tools.items()
            if offered.adopted and (target.allowed_tools is None or name in target.allowed_tools)
        ]
        return Offer(device, tuple(usable) if target.adopted else ())

    def has_secret(self, device_id: str, tool: str, given: JsonObject) -> bool:
        """Whether this call holds a secret; in doubt it does."""
        target = self.targets.get(device_id)
        offered = target.tools.get(tool) if target else None
        if offered is None or given != arguments.recordable(given):
            return True
        return given != arguments.redacted(offered.tool.parameters, given)

    def trusted_words(self) -> list[str]:
        """Ids, names and folders that the owner gave: arguments made of them are nobody else's."""
        words: list[str] = []
        for device in self.known:
            target = self.targets[device.device_id]
            words += [device.device_id, *target.allowed_paths, *target.allowed_apps]
            words += [device.name] if device.name else []
        return words


async def look(store: Store, actor: Actor) -> Fleet:
    """Read the registry, as far as this user sees it."""
    every: Sequence[Device] = await store.ask(devices.every)
    rows = [row for row in every if actor.role_on(row.device_id, row.groups) is not Role.GUEST]
    by_id = {row.device_id: targets.of(row) for row in rows}
    return Fleet(tuple(_known_row(row, by_id[row.device_id]) for row in rows), by_id)


def _known_row(row: Device, target: Target) -> KnownDevice:
    return _known(
        row.device_id,
        row.name,
        tuple(row.aliases),
        row.hostname,
        tuple(row.groups),
        row.area,
        frozenset(name for name, offered in target.tools.items() if offered.adopted),
        target.allowed_apps,
        row.last_used_at,
        online=row.status == devices.DeviceStatus.ONLINE,
        windows=target.flavour is Flavour.WINDOWS,
    )


@lru_cache(maxsize=20_000)  # the same device is the same object, so the index of names can be kept
def _known(
    device_id: str,
    name: str | None,
    aliases: tuple[str, ...],
    hostname: str | None,
    groups: tuple[str, ...],
    area: str | None,
    tools: frozenset[str],
    apps: tuple[str, ...],
    last_used_at: datetime | None,
    *,
    online: bool,
    windows: bool,
) -> KnownDevice:
    return KnownDevice(
        device_id,
        name,
        aliases,
        hostname,
        groups=groups,
        area=area,
        online=online,
        tools=tools,
        windows=windows,
        apps=apps,
        last_used_at=last_used_at,
    )
