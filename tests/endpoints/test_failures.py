"""What may be told of an exchange that failed; the exchange itself is in test_exchange.py."""

import ssl

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, ProxyError
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ReadTimeoutError

from requests_thingspace import TokenRequestError
from requests_thingspace._endpoints.exchange import Exchange, Transport, _is_broken, _was_not_sent
from requests_thingspace._values import Secret

URL = "https://thingspace.verizon.com/api/ts/v1/oauth2/token"
POOL = None


def failed(reason):
    """requests' error for a connection that urllib3 gave up."""
    return requests.ConnectionError(MaxRetryError(POOL, URL, reason))


@pytest.mark.parametrize(
    ("failure", "unsent"),
    [
        (failed(NewConnectionError(POOL, "refused")), True),
        (failed(ConnectTimeoutError("slow")), True),
        (failed(ReadTimeoutError(POOL, URL, "slow")), False),
        (requests.ConnectionError("reset"), False),
        (requests.ConnectionError(), False),
        (requests.ReadTimeout(), False),
    ],
    ids=repr,
)
def test_only_a_connection_that_was_never_made_proves_that_nothing_was_sent(failure, unsent):
    """A login is repeated for no other reason."""
    assert _was_not_sent(failure) == unsent


@pytest.mark.parametrize(
    ("failure", "broken"),
    [
        (requests.ConnectionError("reset"), True),
        (ProxyError("refused"), True),
        (ChunkedEncodingError("cut"), True),
        (requests.exceptions.SSLError(ssl.SSLError("eof")), True),
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError("unknown authority")), False),
        (requests.ReadTimeout(), False),
        (requests.exceptions.InvalidURL(), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_a_bad_certificate_does_not_pass_by_itself(failure, broken):
    """Everything else that ends a connection may."""
    assert _is_broken(failure) == broken


def test_a_failure_made_anew_holds_nothing_that_was_sent():
    """Neither the header with the credentials, nor the form, nor the error below it."""
    auth = ("id", "the-client-secret")
    request = requests.Request("POST", URL, data={"a": "the-password"}, auth=auth).prepare()
    old = requests.ConnectionError(OSError("refused, the-client-secret"), request=request)
    way = Exchange(Transport(), 30.0, TokenRequestError, (Secret("the-client-secret"),))
    new = way.sanitized(old, request)
    assert type(new) is requests.ConnectionError
    assert str(new) == f"the exchange with {URL} failed: OSError: refused, ***"
    assert (new.request.method, new.request.url, dict(new.request.headers)) == ("POST", URL, {})
    assert new.request.body is None
    assert (new.__cause__, new.__context__) == (None, None)
