"""The wire contract: every message and topic that travels over MQTT, and nothing else.

Controller, device node and third parties share these modules only; they need
pydantic and no transport. `docs/wire.md` is generated from them.
"""
