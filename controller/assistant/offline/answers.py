"""What the planner says when it does not plan: short, in the person's language, with a way on."""

from collections.abc import Sequence

from controller.assistant.candidates import KnownDevice
from controller.assistant.language import Language
from controller.assistant.offline.plan import Declined, Question

MAX_OPTIONS = 8

_REASONS: dict[Language, dict[str, str]] = {
    "en": {
        "help": "I create, list, read, write, copy, move, rename and delete files and folders, open and close programs, "
        "and tell how a device is doing.",
        "empty": "There is nothing to do in that.",
        "too_long": "That is too long for me without a language model: at most 300 characters.",
        "unreadable": "That text holds characters that cannot be seen, so I leave it alone.",
        "unclosed": "A quote is opened and not closed.",
        "negation": "That says what should not happen; I only take what should happen.",
        "condition": "I cannot work with conditions: say what should happen now.",
        "time": "I cannot plan for later: say what should happen now.",
        "doubt": "That sounds like a doubt or a correction: say once more what should happen.",
        "question": "A question only looks and changes nothing. Say it as a request if you want it done.",
        "many_devices": "I take one device at a time.",
        "between_devices": "I cannot copy or move between devices.",
        "no_antecedent": "I cannot tell what is meant by a word such as “it”: name it.",
        "device_or_path": "“{phrase}” is the name of a device; put it in quotes if you mean a file or folder.",
        "described": "I cannot tell which file or folder “{phrase}” is: give its name in quotes, or say “folder” or “file” before it.",
        "unsupported": "That is not something I can do.",
        "open_text": "I cannot tell where that text ends: put it in quotes.",
        "many_steps": "Those are too many steps at once.",
        "not_understood": "I did not understand that. Put names and texts of several words in quotes.",
    },
    "nl": {
        "help": "Ik maak, toon, lees, schrijf, kopieer, verplaats, hernoem en verwijder bestanden en mappen, open en sluit "
        "programma's, en vertel hoe het met een apparaat gaat.",
        "empty": "Daar staat niets in om te doen.",
        "too_long": "Dat is te lang voor mij zonder taalmodel: hoogstens 300 tekens.",
        "unreadable": "Die tekst bevat tekens die niet te zien zijn; daarom doe ik er niets mee.",
        "unclosed": "Er begint een aanhaling die nergens eindigt.",
        "negation": "Dat zegt wat er niet moet gebeuren; zeg alleen wat er wel moet gebeuren.",
        "condition": "Met voorwaarden kan ik niet werken: zeg wat er nu moet gebeuren.",
        "time": "Ik kan niets voor later plannen: zeg wat er nu moet gebeuren.",
        "doubt": "Dat klinkt als een twijfel of een verbetering: zeg nog eens wat er moet gebeuren.",
        "question": "Een vraag kijkt alleen en verandert niets. Zeg het als verzoek als het moet gebeuren.",
        "many_devices": "Ik doe één apparaat tegelijk.",
        "between_devices": "Tussen apparaten kopiëren of verplaatsen kan ik niet.",
        "no_antecedent": "Ik weet niet waar een woord als “het” op slaat: noem de naam.",
        "device_or_path": "“{phrase}” is de naam van een apparaat; zet het tussen aanhalingstekens als je een bestand of map bedoelt.",
        "described": "Ik weet niet welk bestand of welke map “{phrase}” is: zet de naam tussen aanhalingstekens, of zeg er “map” of “bestand” voor.",
        "unsupported": "Dat kan ik niet.",
        "open_text": "Ik kan niet zien waar die tekst eindigt: zet hem tussen aanhalingstekens.",
        "many_steps": "Dat zijn te veel stappen tegelijk.",
        "not_understood": "Dat begreep ik niet. Zet namen en teksten van meer woorden tussen aanhalingstekens.",
    },
}
_EXAMPLES: dict[Language, str] = {
    "en": "For example: “Create a folder Photos on {device}”, “What is in the folder Photos on {device}?”, "
    "“Rename 'a.txt' to 'b.txt' on {device}”.",
    "nl": "Bijvoorbeeld: “Maak een map Foto's op {device}”, “Wat staat er in de map Foto's op {device}?”, "
    "“Hernoem 'a.txt' naar 'b.txt' op {device}”.",
}
_ASK: dict[Language, dict[str, str]] = {
    "en": {
        "which_device": "Which device do you mean?",
        "unknown_device": "I know no device “{phrase}”. Which one do you mean?",
        "no_device": "There is no device that I can use for you yet.",
    },
    "nl": {
        "which_device": "Welk apparaat bedoel je?",
        "unknown_device": "Ik ken geen apparaat “{phrase}”. Welk apparaat bedoel je?",
        "no_device": "Er is nog geen apparaat dat ik voor je kan gebruiken.",
    },
}


def decline(reason: str, language: Language, devices: Sequence[KnownDevice], *, phrase: str = "") -> Declined:
    """Why not, and what would work."""
    why = _REASONS[language].get(reason, _REASONS[language]["not_understood"]).format(phrase=phrase)
    return Declined(f"{why} {_EXAMPLES[language].format(device=_example(devices))}")


def _example(devices: Sequence[KnownDevice]) -> str:
    """The device that an example is best about: one that is there and has folders to speak of."""
    if not devices:
        return "laptop"
    best = max(devices, key=lambda each: ("create_directory" in each.tools, each.online))
    return best.name or best.device_id


def ask(reason: str, language: Language, devices: Sequence[KnownDevice], *, phrase: str = "") -> Question:
    """A question that one of the options answers."""
    if not devices:
        return Question(_ASK[language]["no_device"], ())
    text = _ASK[language][reason].format(phrase=phrase)
    return Question(text, tuple(each.label for each in devices[:MAX_OPTIONS]), phrase)
