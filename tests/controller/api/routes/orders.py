"""One order that leaves at once, and one that a person must allow."""

CREATE = {"device_id": "laptop", "tool": "create_directory", "arguments": {"path": "Test"}}
DELETE = {"device_id": "laptop", "tool": "delete_path", "arguments": {"path": "Test"}}
