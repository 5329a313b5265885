"""``thingspace token``, ``revoke`` and ``logout``: the tokens of this user, for other programs.

The law here: stdout holds the token that was asked for and nothing else.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from requests_thingspace import LoginError, LoginRefusedError, ThingspaceAuth

from ._credentials import auth_of_user
from ._stored import NothingStoredError, StoredSession, shared_cache, shared_cache_or_notice


def token(options: Namespace) -> int:
    """Print a current token; renewed first if need be."""
    auth = auth_of_user(login=options.session, cache=shared_cache_or_notice)
    sys.stdout.write(f"{_printed(auth, options)}\n")
    return 0


def _printed(auth: ThingspaceAuth, options: Namespace) -> str:
    """The token in the form that was asked for."""
    current = auth.get_session_token() if options.session else auth.get_token()
    if options.json:
        return json.dumps(current.to_dict())
    if not options.header:
        return current.value
    if options.session:
        return f"{auth.environment.session_header(auth.environment.login_url)}: {current.value}"
    return f"Authorization: Bearer {current.value}"


def revoke(_: Namespace) -> int:
    """Revoke the OAuth token that ThingSpace gives at present, which may not be the stored one."""
    auth = auth_of_user(cache=shared_cache)
    auth.reset()
    auth.get_token()
    auth.revoke()
    sys.stdout.write("The OAuth token is revoked: whoever shared it needs a new one.\n")
    return 0


def logout(_: Namespace) -> int:
    """End the M2M session that the processes of this user share; never log in for that."""
    auth = auth_of_user(login=True, cache=StoredSession)
    sys.stdout.write(f"{_ended(auth)}\n")
    return 0


def _ended(auth: ThingspaceAuth) -> str:
    """End the session, and say what happened."""
    try:
        auth.get_session_token()
        auth.logout()
    except NothingStoredError:
        return "There is no M2M session to end."
    except LoginRefusedError:
        auth.reset()
        return "There is no M2M session to end. A refused login was remembered, and is forgotten."
    except LoginError as error:
        if ".SessionToken." not in (error.code or ""):
            raise
        auth.reset()
        return "The M2M session had ended already."
    return "The M2M session is ended."
