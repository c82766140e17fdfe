"""The controller's HTTP API as the command line uses it.

Whatever goes wrong becomes one `ClientError` with a sentence and an exit code. The standard
library's client serves: loading a larger one takes longer than most requests.
"""

from orion.client.controller import Client, segment
from orion.client.errors import ClientError, NoAnswer, NotRunning, Refused, SignedInElsewhere, Unproven
from orion.client.exchange import Json

__all__ = [
    "Client",
    "ClientError",
    "Json",
    "NoAnswer",
    "NotRunning",
    "Refused",
    "SignedInElsewhere",
    "Unproven",
    "segment",
]
