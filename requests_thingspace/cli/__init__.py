"""The command ``thingspace``: credentials, tokens for other programs, a check, unmodified scripts, a sandbox.

Whatever goes wrong is told on one line of stderr and by the exit status. No option takes a secret, and no
output holds one but the token that was asked for. A command's module is imported when it is called.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import requests

from ._words import UsageError, complain, told

__all__ = ["main"]

_CREDENTIALS = """\
credentials, the first of:
  --profile NAME            what "thingspace login --profile NAME" keeps
  THINGSPACE_CLIENT_ID, THINGSPACE_CLIENT_SECRET    the key pair
  THINGSPACE_USERNAME, THINGSPACE_PASSWORD          the M2M login (UWS user), if it is needed
  THINGSPACE_PROFILE        the name of a profile
  the profile "default"     what "thingspace login" keeps
The key pair comes from one of these, and so does the login. The four variables may have _FILE behind their
names: then they name a file. A secret that is not set is looked up in the system's keyring ("keyring set
requests-thingspace ID", the extra "keyring"), then asked for on a terminal.

other variables:
  THINGSPACE_BASE_URL       another ThingSpace, such as a sandbox
  THINGSPACE_ACCOUNT_NAME   the account that "thingspace check" reads
  THINGSPACE_LOG            info or debug: show the library's log on stderr

exit status:
  0    all is well
  1    ThingSpace refused or could not be reached, a check failed, "status" found no usable token,
       or the output could not be written
  2    the command was called wrongly, or a credential or an extra is missing
  130  Ctrl-C
"""
_LOGIN = """\
If stdin is no terminal, reads them from four lines: key, secret, UWS user, password. The last two may be
empty or missing. THINGSPACE_BASE_URL, if set, is kept with them.
"""
_RUN = """\
Token and login calls of the program's own are answered from the tokens that this user's processes share
(the extra "file") if they are for the same key and user. Child processes of multiprocessing are included,
other programs that it starts and other HTTP libraries are not.

--sandbox needs no account: Verizon's hosts are led to a ThingSpace on this machine, which takes any
credentials. --sandbox-faults 5:revoke,9:end-session,12:503 revokes the tokens after the fifth API call,
ends the sessions after the ninth, and answers the one after the twelfth with 503.

The exit status is the program's own.
"""
_TOKEN = """\
  curl -H "$(thingspace token --header)" https://thingspace.verizon.com/api/...
  curl -H "$(thingspace token --header)" -H "$(thingspace token --session --header)" ...

A session token has no expiry: if ThingSpace says that it has expired, "thingspace logout" makes the next one
a new one.
"""

_COMMANDS: dict[str, tuple[str, str | None, dict[str, str]]] = {  # the purpose, what ends the help, options
    "login": ("keep your credentials on this machine, after trying them", _LOGIN, {
        "--forget": "take the profile away",
        "--untested": "keep them even if ThingSpace could not be reached",
    }),
    "status": ("say which credentials and tokens are in use, without a network", None, {
        "--json": "for a program to read",
    }),
    "check": ("say step by step what works and what does not", None, {
        "--login": "log in to the M2M session too; a failed login counts",
        "--account NAME": "the account to read (default: THINGSPACE_ACCOUNT_NAME)",
        "--json": "for a program to read",
    }),
    "token": ("print a current token, for curl and the like", _TOKEN, {
        "--session": "the M2M session token instead",
        "--header": "as a header for curl -H",
        "--json": "as JSON, with its expiry",
    }),
    "revoke": ("revoke the OAuth token; everyone who shares it needs a new one", None, {}),
    "logout": ("end the M2M session that this user's processes share", None, {}),
    "run": ("run an unmodified script with ThingSpace authentication", _RUN, {
        "--sandbox": "without an account, against a sandbox",
        "--sandbox-faults PLAN": "what goes wrong, such as 5:revoke,12:503",
    }),
    "sandbox": ("serve a ThingSpace on this machine, for tests", None, {
        "--port PORT": "of the main origin (default: a free one)",
        "--token-life S": "seconds a token lives (default: 3600)",
    }),
}  # fmt: skip
_NUMBERS: Any = {"--port": {"type": int, "default": 0}, "--token-life": {"type": float, "default": 3600}}

_MODULES = {"login": "._credentials", **dict.fromkeys(("token", "revoke", "logout", "status"), "._tokens")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command, by default that of the command line, and give the exit status.

    It is 0, 1 (ThingSpace refused or could not be reached), 2 (called wrongly, or a credential is missing)
    or 130 (Ctrl-C). SystemExit: argparse ends so after ``--help``, and a program of ``run`` as it likes.
    """
    root = _parser()
    options = root.parse_args(arguments)
    try:
        return _carry_out(options, root)
    except UsageError as wrong:
        complain(wrong)
        return 2
    except requests.RequestException as failure:
        complain(told(failure))
        return 1
    except OSError as failure:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        if not isinstance(failure, BrokenPipeError):  # else whoever read our output has seen enough
            complain(failure)
        return 1
    except KeyboardInterrupt:
        return 130


def _carry_out(options: argparse.Namespace, root: argparse.ArgumentParser) -> int:
    """Carry out the command, or say what there is; an OSError tells that stdout cannot be written."""
    command, status = None if options.version else options.command, 0
    if sys.stdout is None and command != "run":  # whose program sees what python shows
        raise UsageError("stdout is closed")
    if command is None:
        from importlib.metadata import version  # it takes a while

        text = f"thingspace {version('requests-thingspace')}\n" if options.version else root.format_help()
        sys.stdout.write(text)
    else:
        with _log_shown(command):
            module = import_module(_MODULES.get(command, f"._{command}"), __name__)
            status = getattr(module, command)(options)
    if command != "run":
        sys.stdout.flush()
    return status


@contextmanager
def _log_shown(command: str) -> Iterator[None]:
    """Show the library's log on stderr: warnings, or what ``THINGSPACE_LOG`` says."""
    wanted = os.environ.get("THINGSPACE_LOG", "")
    if wanted.lower() not in ("", "info", "debug"):
        raise UsageError(f"THINGSPACE_LOG is {wanted!r}: set it to info or debug")
    log, handler = logging.getLogger("requests_thingspace"), logging.StreamHandler()
    before, refused = log.level, "login_refused"  # of which the command itself complains
    if wanted:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.setLevel(wanted.upper())
    else:
        handler.setFormatter(logging.Formatter("thingspace: %(message)s"))
        handler.setLevel(logging.WARNING)
        handler.addFilter(lambda record: all(getattr(a, "name", "") != refused for a in record.args or ()))
    if wanted or command != "run":  # whose program has a log of its own
        log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


class _Parser(argparse.ArgumentParser):
    """argparse, with mistakes told on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> _Parser:
    """The parser of the whole command line; ``command`` is a name, ``None`` if none was given."""
    raw = argparse.RawDescriptionHelpFormatter
    purpose = "Verizon ThingSpace authentication, from the command line."
    root = _Parser(prog="thingspace", description=purpose, epilog=_CREDENTIALS, formatter_class=raw)
    root.add_argument("--version", action="store_true", help="show the version and exit")
    names = root.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, (purpose, epilog, options) in _COMMANDS.items():
        sentence = f"{purpose[0].upper()}{purpose[1:]}."
        added = names.add_parser(name, help=purpose, description=sentence, epilog=epilog, formatter_class=raw)
        if name != "sandbox":
            added.add_argument("--profile", metavar="NAME", help="use the credentials of this profile")
        either = added.add_mutually_exclusive_group() if "--json" in options else added
        for option, text in options.items():
            flag, _, value = option.partition(" ")
            how: Any = {"metavar": value, **_NUMBERS.get(flag, {})} if value else {"action": "store_true"}
            (either if flag in ("--header", "--json") else added).add_argument(flag, help=text, **how)
    run = names.choices["run"]
    run.usage = (
        "thingspace run [-h] [--profile NAME | --sandbox [--sandbox-faults PLAN]] "
        "(SCRIPT | -m MODULE) [ARGUMENT ...]"
    )
    run.add_argument("-m", dest="module", action="store_true", help="run a module, as python -m does")
    text = "the script or module, and its own arguments"
    run.add_argument("program", metavar="SCRIPT", nargs=argparse.PARSER, help=text)
    return root
