"""What stands around the application: each is plain ASGI, sees every request and buffers no answer.

From the outside in: what every answer carries, whom a request names, whose pages may ask, whether there is room, how often
somebody asks, whether it says one thing, and how much a body may be.
"""
