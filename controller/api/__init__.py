"""The door for programs and people over HTTP: `/api/v1`, on loopback."""
