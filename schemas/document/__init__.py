"""`docs/wire.md`, written from the models: `python -m schemas.document > docs/wire.md`.

The tables come from the code that decodes; only the sentences around them are prose.
"""
