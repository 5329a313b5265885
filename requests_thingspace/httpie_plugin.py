"""HTTPie: ``http --auth-type=thingspace -a key:secret https://thingspace.verizon.com/api/...``.

What is not given with ``-a`` comes from ``THINGSPACE_*``; each ``http`` is a process of
its own, so that tokens are kept in the file cache where the extra ``file`` is installed.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import requests
from httpie.plugins import AuthPlugin

from requests_thingspace import FileTokenCache, ThingspaceAuth


class ThingspacePlugin(AuthPlugin):  # type: ignore[misc]  # HTTPie has no types
    """The entry point; its attributes are HTTPie's (``httpie/plugins/base.py``)."""

    name = "Verizon ThingSpace"
    auth_type = "thingspace"
    description = "OAuth token and M2M session; without -a, from THINGSPACE_CLIENT_ID and _SECRET."
    auth_require = False

    def get_auth(self, username: str | None = None, password: str | None = None) -> Any:
        """What stamps the request, with the two parts of ``-a``: the client id and its secret."""
        return partial(_stamped, {"client_id": username, "client_secret": password and (lambda: password)})


def _stamped(given: dict[str, Any], request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stamp `request`; the auth is made only now, since here HTTPie tells of errors on one line."""
    with suppress(ImportError):
        given = {**given, "cache": FileTokenCache()}
    request = ThingspaceAuth.from_env(session=_as_on_the_command_line(), **given)(request)
    request.hooks["response"] = [partial(_unstreamed, hook) for hook in request.hooks["response"]]
    return request


def _unstreamed(hook: Any, response: requests.Response, **settings: Any) -> Any:
    """HTTPie streams all it sends; but of a stream no error is read, nor an ended M2M session noticed."""
    return hook(response, **{**settings, "stream": False})


class _AsGiven(requests.Session):
    """A Session whose `verify` wins over ``REQUESTS_CA_BUNDLE``, as one that is given with a request does."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


def _as_on_the_command_line() -> requests.Session:
    """A Session for token calls, with those options of ``http`` that HTTPie does not show an auth."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--verify", default="yes")
    parser.add_argument("--proxy", action="append", default=[])
    given, _ = parser.parse_known_args(sys.argv[1:])
    session = _AsGiven()
    words = {"yes": True, "true": True, "no": False, "false": False}
    session.verify = words.get(given.verify.lower(), given.verify)
    session.proxies = dict(proxy.split(":", 1) for proxy in given.proxy)
    return session
