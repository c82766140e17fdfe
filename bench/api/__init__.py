"""`make bench-api`: the HTTP API beside a bare FastAPI route that answers the same JSON, in the same run."""
