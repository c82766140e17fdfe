"""The live stream: what happens, told to whoever watches by Server-Sent Events or a WebSocket.

A source makes messages of what was committed, the backlog keeps the last of them for all, and each
reader has a place in it. Nothing is queued for a reader, so none of them is in another one's way.
"""
