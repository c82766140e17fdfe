"""The door to devices: one session, an inbox that stores before it acknowledges, one publisher."""
