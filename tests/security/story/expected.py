"""What a run has in use at least, and what is seen of it at least."""

# Kinds of secrets that this run has in use at least.
LEAST = frozenset(
    {
        *("token", "controller-main.password", "probe.health.password", "authority.pem", "server.pem"),
        *("signing key 0", "password of laptop", "key of laptop", "password of debug.user"),
        *(
            "password of orion debug-user create",
            "password of orion devices add",
            "password of orion users add",
        ),
        *("password of orion users rotate", "join code", "join secret", "join password", "join proof"),
        *("ollama_host", "ollama_api_key", "database password", "guessed password"),
        *("pin of the lock", "another pin", "pin that nobody takes", "a pin that does not fit"),
    }
)
# Where was looked, and what stands there: nobody finds a secret in an empty log.
PLACES = {
    "log of up": "RuntimeError: failed for the test",
    "log of node": "ready",
    "the wire": "orion/v1/devices/laptop/presence",
    "what an admin hears": "orion/v1/users/mia/response",
    "command lines": "mosquitto_sub",
    "environment of mosquitto": "PATH=",
    "environment of broker": "ORION_DATA_DIR=",
    "environment of tool": "PATH=",
    "the database controller/orion.db": "command.",
    "the database node/laptop/journal.db": "succeeded",
    "the file broker/passwords": "controller-main:",
    "stdout of orion run lock": "the value",
    "stdout of orion commands show": "***",
    "stdout of orion audit list": "device.invited",
    "stdout of orion config show": "***",
    "stdout of orion doctor": "me",
    "stderr of orion controller --json": "***",
    "stderr of orion run lock": "IntegrityError",
    "answer of audit?limit=1000": "device.invited",
    "answer of commands": "***",
    "answer to a stranger": "A valid token is needed",
}
