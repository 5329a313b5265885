"""What may be told of an exchange that failed.

The law here: a failure tells what happened, and neither what was sent nor what came back: a server can
say a secret in a status line, in a header or in a chunk size, and http.client and urllib3 quote it.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Iterable

import requests
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ._answers import scrubbed
from ._errors import ThingspaceError

THREAD = "thingspace-auth-call"
"""The name of the threads in which auth endpoints are called."""


def was_not_sent(failure: Exception) -> bool:
    """Whether the request certainly never left: there was no connection to send it on."""
    reason = getattr(failure.args[0], "reason", None) if failure.args else None
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))


def is_broken_connection(failure: Exception) -> bool:
    """Whether the connection failed in a way that may pass; a bad certificate does not."""
    return isinstance(failure, (requests.ConnectionError, ChunkedEncodingError)) and not any(
        isinstance(link, ssl.SSLCertVerificationError) for link in _chain(failure)
    )


def presentable(
    failure: Exception,
    request: requests.PreparedRequest,
    timeout: float,
    error: type[ThingspaceError],
    secrets: Iterable[str],
) -> requests.RequestException:
    """`failure` made anew, as the caller may see it: requests' own class, or `error`.

    The old one is dropped with all that it holds: the request, its frames, and the exceptions below
    it, which quote what the server said.
    """
    kind = next((k for k in type(failure).__mro__ if k.__module__ == requests.exceptions.__name__), None)
    if isinstance(failure, requests.Timeout):
        words = f"{request.url} gave no complete answer within {timeout:g} seconds"
    else:
        words = f"the exchange with {request.url} failed: {scrubbed(_cause(failure), secrets)}"
    if kind is None or not issubclass(kind, (requests.ConnectionError, requests.Timeout)):
        return error(words, retryable=is_broken_connection(failure))
    bare = requests.PreparedRequest()
    bare.method, bare.url = request.method, request.url
    bare.headers = requests.structures.CaseInsensitiveDict()
    return kind(words, request=bare)


def _cause(failure: Exception) -> str:
    """What brought `failure` about, in words of the operating system, OpenSSL or requests.

    All three are OSErrors. Of any other exception only the name is sure not to quote the server.
    """
    chain = _chain(failure)
    if isinstance(chain[-1], OSError):
        return f"{type(chain[-1]).__name__}: {chain[-1]}"
    return ": ".join(type(link).__name__ for link in chain)


def _chain(failure: Exception) -> list[BaseException]:
    """`failure` and all that brought it about; urllib3 keeps some of it in the args alone."""
    chain: list[BaseException] = [failure]
    while True:
        top = chain[-1]
        given = next((arg for arg in top.args if isinstance(arg, BaseException)), None)
        below = top.__cause__ or top.__context__ or given
        if below is None or below in chain:
            return chain
        chain.append(below)


def _is_no_quotation(record: logging.LogRecord) -> bool:
    """Whether a record may pass: in our own calls, urllib3's warnings quote headers that it cannot parse."""
    return threading.current_thread().name != THREAD or record.levelno < logging.WARNING


logging.getLogger("urllib3.connection").addFilter(_is_no_quotation)
