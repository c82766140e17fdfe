"""What the controller can do, one module a capability; every door comes through here.

A service is a plain function of (session, …, now): no clock, no commit, no transport.
"""
