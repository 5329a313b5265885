"""What can go wrong: one family, evidence as attributes, and copies that can be raised anywhere."""

import copy
import pickle

import pytest
import requests

from requests_thingspace import (
    InvalidTokenError,
    LoginError,
    LoginRefusedError,
    ThingspaceError,
    TokenRequestError,
)
from requests_thingspace._errors import copy_of

EVIDENCE = {"status": 429, "code": "900800", "description": "slow", "retryable": True, "retry_after": 7.0}
CLASSES = [ThingspaceError, InvalidTokenError, TokenRequestError, LoginError, LoginRefusedError]


@pytest.mark.parametrize("kind", CLASSES)
def test_each_error_is_a_request_exception_with_evidence_that_travels(kind):
    """A copy, a pickled error and one to raise again tell the same, and are another object."""
    error = kind("it went wrong", **EVIDENCE)
    assert isinstance(error, requests.RequestException)
    assert {name: getattr(error, name) for name in EVIDENCE} == EVIDENCE
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error)), copy_of(error)):
        assert twin is not error
        assert (type(twin), str(twin), vars(twin)) == (kind, "it went wrong", vars(error))


def test_the_families_that_callers_may_catch():
    """And an error without an answer promises nothing."""
    assert issubclass(LoginRefusedError, LoginError)
    assert issubclass(InvalidTokenError, ValueError)
    error = ThingspaceError("no answer")
    assert (error.status, error.code, error.description, error.retry_after) == (None,) * 4
    assert error.retryable is False


def test_copy_of_copies_any_ordinary_exception():
    """Errors of requests and of providers are shared between threads in the same way."""
    request = requests.Request("POST", "https://x.example/").prepare()
    for failure in (requests.ConnectionError("no way", request=request), KeyError("a provider's own")):
        twin = copy_of(failure)
        assert twin is not failure
        assert (type(twin), twin.args, vars(twin)) == (type(failure), failure.args, vars(failure))


class TwoArgumentsError(Exception):
    """Cannot be made again from its args."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


class ChangedError(Exception):
    """Comes out different when it is made again from its args."""

    def __init__(self, what):
        super().__init__(f"provider: {what}")


def test_copy_of_gives_back_what_cannot_be_copied():
    """A provider's exception with ideas of its own reaches every caller unchanged."""
    for failure in (TwoArgumentsError("disk", "full"), ChangedError("disk full")):
        assert copy_of(failure) is failure
