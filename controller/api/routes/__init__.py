"""One file a noun; each route checks the caller, calls a service, and shows the result."""
