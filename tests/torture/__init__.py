"""Torture: what must hold whatever the interpreter, the other threads and the operating system do.

`moments` raises an exception at each moment of a call at which CPython may run a signal handler;
`schedules` runs threads in an order that a seed decides, and can change threads within a line;
`test_states` tries all such orders up to a depth; `test_fail_each_call` lets each system call fail in turn.
All work on the real package. The one stand-in is ThingSpace itself (`thingspace`), in memory. What only time
and sockets show is found by `test_soak`, minutes of threads against the sandbox.

A seeded sample of each runs with the other tests; `nox -s torture` runs them in full.
"""
