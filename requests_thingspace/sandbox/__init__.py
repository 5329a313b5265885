"""A ThingSpace on loopback: real HTTP over real TLS, with a clock, faults and counts that a test can drive.

    with Sandbox() as sandbox:
        session = sandbox.session()
        session.get(f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}")

It needs the extra ``sandbox``: trustme makes the certificates. ``thingspace sandbox`` runs it as a program.
"""

try:
    from ._sandbox import Sandbox, SandboxClock
    from ._state import Call
except ImportError as missing:
    package = str(missing.name).partition(".")[0]
    text = f"the sandbox needs {package}: pip install 'requests-thingspace[sandbox]'"
    raise ImportError(text, name=package) from None

__all__ = ["Call", "Sandbox", "SandboxClock"]
