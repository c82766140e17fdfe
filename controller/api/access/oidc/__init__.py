"""Signing in with an identity provider (OpenID Connect). Loaded where one is set: Authlib is an extra."""
