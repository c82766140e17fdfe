"""The assistant: an actor with the rights of the person who speaks to it, never more."""
