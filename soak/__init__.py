"""A soak: many threads for many minutes on a bad day; afterwards nothing is lost, unexplained or left over.

Three processes. `soak.thingspace` is a sandbox under a weather of faults that it writes down; `soak.clients`
are threads that call it through both faces and report each outcome that is no 200; `python -m soak` starts
both and holds the outcomes against the fault log. They exchange lines of JSON, in which all times are seconds
of the machine's monotonic clock, which its processes share.
"""

TOKEN_LIFE = 30.0
"""Seconds from the issue of an OAuth token to its expiry."""

CLOCK_SKEW = 5.0
"""Seconds before its expiry from which on a token is due."""

AUTH_TIMEOUT = 4.0
"""Seconds for a whole token call or login."""

READ_TIMEOUT = 3.0
"""Seconds for which an API call waits for the next byte."""

FAULT_HEADER = "X-Fault"
"""Names the fault that an answer is, so that it explains this one outcome and no other."""
