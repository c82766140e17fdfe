"""What kind of sentence this is: its language, and whether it asks or tells.

A question reaches read-only tools only, so in doubt a sentence is a question.
"""

import re

from controller.assistant.language import fold, language_of

__all__ = ["is_question", "language_of"]

_GREETING = re.compile(
    r"^(?:(?:hi there|hello there|hey there|hoi|hallo|hey|hi|hello|dag|ok|oke|okay|orion|goedemorgen|goedemiddag|goedenavond|goeiemorgen|goeiemiddag|goeienavond|goeiedag|heey|hee|he|hoii|yo|moin|please|so|dus|nou|and|en"
    r"|alsjeblieft|alstublieft|aub|sorry|excuse me|good morning|good evening)\b[\s,.!:]*)+"
)
_POLITE = re.compile(
    r"^(?:(?:kun|kan|wil|zou)je\b|(?:kun|kunt|kan|kon|zou|wil|wilt|wou)\s+(?:je|jij|u|ge|jullie)\b"
    r"|(?:can|could|would|will)\s+(?:you|u)\b(?!\s+(?:still|even))"
    r"|(?:would|do)\s+you\s+mind\b)"
)
# What a polite request asks to be told is still a question: "kun je zien of …", "can you tell me what …"
_ASKS_TO_KNOW = re.compile(
    r"^(?:(?:me|mij|ons|us|even|eens|please|alsjeblieft|misschien|ook|maybe|also|kindly|aan)\s+)*"
    r"(?:(?:zeggen|vertellen|zien|nagaan|controleren|checken|nakijken|uitleggen|laten\s+weten|kijken)\b"
    r"|(?:tell|check|explain|see|know|find\s+out|let\s+me\s+know|say)\b"
    r"|(?:what|which|where|when|why|how|if|whether|of|wat|welke|waar|wanneer|waarom|hoe)\b)"
    r"|\b(?:zeggen|vertellen|nagaan|controleren|uitleggen|nakijken|zien)\s+(?:of|wat|welke|hoe|hoeveel|waar|wie)\b"
)
_ASKING = re.compile(
    r"^(?:wat|welk|welke|waar|waarom|waarvoor|wanneer|wie|wiens|hoe|hoeveel|hoelang|hoezo"
    r"|is|zijn|was|waren|ben|bent|heb|hebt|heeft|hebben|had|staat|staan|zit|zitten|bestaat|bestaan|draait|draaien|loopt"
    r"|mag|mogen|moet|moeten|zal|zullen|zou|zouden|kan|kunnen|kun|kunt|werkt|doet|gaat|gaan|wordt|worden|weet|ken|klopt"
    r"|what|which|where|when|why|who|whose|how|what's|whats|where's|who's|how's"
    r"|are|am|were|does|do|did|has|have|had|may|might|shall|should|must|can|could|would|will"
    r"|isn't|aren't|doesn't|don't\s+i|any)\b"
)
_PLAIN_REQUEST = re.compile(
    r"^(?:do\s+(?:not\b|me\s+a|(?:that|this|it|the\s+same|same)\b)|have\s+(?:the|my|a)\b|hebben\s+we)"
)


def is_question(text: str) -> bool:
    """Whether a person wants to know something, rather than to have something done.

    "Kun je een map Test maken?" and "could you please delete it?" are requests;
    "is the disk full?", "mag ik een map maken" and "delete it?" are questions.
    """
    sentence = _GREETING.sub(
        "", fold(text[:2000]).strip(" \t\r\n\u00bf\u00a1\u201c\u201d\u201e\u00ab\"'(")
    ).strip()
    if not sentence:
        return False
    if polite := _POLITE.match(sentence):
        rest = sentence[polite.end() :].strip(" ,")
        return bool(_ASKS_TO_KNOW.search(rest))
    if _ASKING.match(sentence) and not _PLAIN_REQUEST.match(sentence):
        return True
    return sentence.rstrip(" \u201d\u00bb\"')!").endswith("?")
