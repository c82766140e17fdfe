"""The command line: starts the programs and talks to the controller's HTTP API."""
