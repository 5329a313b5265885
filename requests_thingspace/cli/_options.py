"""The command line's grammar: no option takes a secret, and a mistake gets one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

Command = Callable[[argparse.Namespace], int]

_CREDENTIALS = """\
credentials:
  THINGSPACE_CLIENT_ID, THINGSPACE_CLIENT_SECRET    the key pair
  THINGSPACE_USERNAME, THINGSPACE_PASSWORD          the M2M login, where it is needed
  THINGSPACE_BASE_URL                               another ThingSpace, such as a sandbox
A secret that is not set is looked up in the keyring of the system ("keyring set requests-thingspace ID",
the extra "keyring"), then asked for on a terminal.

exit status:
  0    all is well
  1    ThingSpace refused, could not be reached, or a check failed
  2    the command was called wrongly, or a credential or an extra is missing
  130  Ctrl-C
"""
_CHECK = """\
The steps: name (is the host found), TLS (can it be reached, is its certificate trusted), clock (within
5 minutes of the server's), key and secret (is a token given), token (its scopes and the life that remains),
and with --login the M2M login. Proxies and REQUESTS_CA_BUNDLE are honoured.

exit status: 0 if no step failed, 1 if one did, 2 if a credential is missing.
"""
_RUN = """\
Every requests Session of the program, requests.get() included, gets a current bearer on requests to
ThingSpace, whatever Authorization header the program sets. With THINGSPACE_USERNAME set, the M2M session
token is ours too, in place of the program's own; without, the program's own stays. Token and login calls
that the program makes itself pass as they are, and so does everything to other hosts. Child processes of
multiprocessing are included, other programs that it starts are not, nor other HTTP libraries.

exit status: the program's own; 2 if it cannot be read, or a credential is missing.
"""
_TOKEN = """\
  curl -H "$(thingspace token --header)" https://thingspace.verizon.com/api/...
  curl -H "$(thingspace token --header)" -H "$(thingspace token --session --header)" ...

The token is kept in a file that only this user can read (the extra "file"). A session token has no expiry:
if ThingSpace says that it has expired, "thingspace logout" makes the next one a new one.
"""


class Parser(argparse.ArgumentParser):
    """argparse, with mistakes told on one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser(commands: dict[str, Command]) -> Parser:
    """The parser of the whole command line.

    Args:
        commands: what carries out each command, by its name.
    """
    root = Parser(
        prog="thingspace",
        description="Verizon ThingSpace authentication, from the command line.",
        epilog=_CREDENTIALS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"thingspace {_version()}")
    names = root.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, purpose: str, epilog: str | None = None) -> Any:
        added = names.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(command=commands[name])
        return added

    _add_token(command("token", "print a current token, for curl and the like", _TOKEN))
    _add_check(command("check", "say step by step what works and what does not", _CHECK))
    command("revoke", "revoke the OAuth token; everyone who shares it needs a new one")
    command("logout", "end the M2M session that this user's processes share")
    _add_run(command("run", "run an unmodified script with ThingSpace authentication", _RUN))
    _add_sandbox(command("sandbox", "serve a ThingSpace on this machine, for tests"))
    return root


def _add_token(command: Any) -> None:
    command.add_argument("--session", action="store_true", help="the M2M session token instead")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--header", action="store_true", help="as a header for curl -H")
    form.add_argument("--json", action="store_true", help="as JSON, with its expiry")


def _add_check(command: Any) -> None:
    command.add_argument(
        "--login", action="store_true", help="log in to the M2M session too; a failed login counts"
    )
    command.add_argument("--json", action="store_true", help="for a program to read")


def _add_run(command: Any) -> None:
    command.usage = "thingspace run [-h] (SCRIPT | -m MODULE) [ARGUMENT ...]"
    command.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m does")
    command.add_argument(
        "program", metavar="SCRIPT", nargs=argparse.PARSER, help="the script or module, and its own arguments"
    )


def _add_sandbox(command: Any) -> None:
    command.add_argument("--port", type=int, default=0, help="of the main origin (default: a free one)")
    command.add_argument(
        "--token-life", type=float, default=3600, metavar="S", help="seconds a token lives (default: 3600)"
    )


def _version() -> str:
    try:
        return version("requests-thingspace")
    except PackageNotFoundError:  # pragma: no cover - a checkout that was never installed
        return "(not installed)"
