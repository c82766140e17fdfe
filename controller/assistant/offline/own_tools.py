"""A device's own tool, called by its name: "run water_garden on the pump".

Nothing is known of such a tool but its name, so the sentence may hold nothing else:
what it needs beyond that is for a model, or for `orion run`.
"""

from collections.abc import Sequence

from controller.assistant.candidates import KnownDevice
from controller.assistant.language import word_set
from controller.assistant.offline.tokens import QUOTED, Token
from schemas import builtin

_AROUND = word_set(
    "run start use execute call do trigger activate perform please now the tool command a an function thanks could can you"
    " voer uit gebruik doe roep aan start draai activeer graag even ff aub alsjeblieft nu het de een tool gereedschap"
    " opdracht functie kun kan wil je eens bedankt"
)


def named(words: Sequence[Token], device: KnownDevice) -> str | None:
    """The one tool of the device's own that the words name and say nothing besides."""
    if any(word.code == QUOTED for word in words):
        return None
    said = "_".join(word.word for word in words if word.word and word.word not in _AROUND)
    own = device.tools - builtin.TOOLS.keys()
    return said if said in own and said not in device.apps else None
