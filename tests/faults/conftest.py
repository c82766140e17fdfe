"""The harness forks, pauses and watches processes as only Linux lets it; elsewhere it is not collected."""

import sys

collect_ignore_glob = [] if sys.platform == "linux" else ["*.py"]
