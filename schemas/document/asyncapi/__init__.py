"""The AsyncAPI 3.0 document of what travels over MQTT: the same contract as `docs/wire.md`, for programs.

It is written from the models, the topics and the table of channels; `orion asyncapi` prints it.
"""

from schemas.document.asyncapi.document import Broker, document

__all__ = ["Broker", "document"]
