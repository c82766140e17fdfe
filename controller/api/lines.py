"""Answers that come a line at a time, as there is something to say."""

from starlette.responses import StreamingResponse


class Lines(StreamingResponse):
    """JSON objects, one a line."""

    media_type = "application/x-ndjson"
