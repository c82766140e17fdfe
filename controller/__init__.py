"""The control plane: doors, assistant, services, store; imports run downwards only."""
