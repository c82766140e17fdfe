"""What a device says of itself when it connects: presence and profile."""

from orion.conform import call as calls
from orion.conform.examination import Examination
from orion.conform.findings import Verdict, broken, judged, passed, untried
from orion.conform.line import Heard
from schemas.devices import Presence, Profile
from schemas.wire import MalformedMessage

NO_PROFILE = "there is no profile that can be read"


async def presence(examination: Examination) -> Verdict:
    """Retained, `online`, with all its fields."""
    heard = examination.presence()
    if heard is None:
        return broken("no presence is retained")
    try:
        said = Presence.decode(heard.message.payload)
    except MalformedMessage as error:
        return broken(str(error))
    faults = [] if said.state == "online" else [f"it says {said.state}"]
    return judged(faults + flags(heard))


async def profile(examination: Examination) -> Verdict:
    """Retained, with all its fields, within the limits."""
    heard = examination.profile()
    if heard is None:
        return broken("no profile is retained")
    try:
        said = Profile.decode(heard.message.payload)
    except MalformedMessage as error:
        return broken(str(error))
    return judged(flags(heard), f"{len(said.tools)} tools")


async def device_id(examination: Examination) -> Verdict:
    """The profile is of the device whose topic it stands on."""
    heard = examination.profile()
    if heard is None:
        return untried("there is no profile")
    named = heard.said.get("device_id")
    return passed() if named == examination.device_id else broken(f"the profile names {named!r}")


async def boot_id(examination: Examination) -> Verdict:
    """Presence and profile are of one life."""
    first, second = examination.presence(), examination.profile()
    if first is None or second is None:
        return untried("there is no presence or no profile")
    one, other = first.said.get("boot_id"), second.said.get("boot_id")
    return passed() if one == other else broken(f"presence says {one!r}, the profile {other!r}")


async def tools(examination: Examination) -> Verdict:
    """Each tool's parameters can be judged by."""
    said = examination.read_profile()
    if said is None:
        return untried(NO_PROFILE)
    faults = [f"{tool.name}: {why}" for tool in said.tools if (why := calls.usable(tool)) is not None]
    return judged(faults)


def flags(heard: Heard, *, qos: int = 1, retain: bool = True) -> list[str]:
    """What is wrong with how a message was published."""
    faults = [] if heard.message.qos == qos else [f"it was published with QoS {heard.message.qos}"]
    if heard.message.retain is not retain:
        faults.append("it was not published as retained" if retain else "it was published as retained")
    return faults
