"""Language models: one protocol, one module a provider."""
