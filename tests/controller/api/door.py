"""What the tests of the door have in common."""

BODY = {"device_id": "laptop", "tool": "path_info", "arguments": {"path": "x"}}
