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
FAMILIES = {
    ThingspaceError: requests.RequestException,
    InvalidTokenError: ValueError,
    TokenRequestError: ThingspaceError,
    LoginError: ThingspaceError,
    LoginRefusedError: LoginError,
}


@pytest.mark.parametrize("kind", FAMILIES)
def test_each_error_is_a_request_exception_with_evidence_that_travels(kind):
    """A copy, a pickled error and one to raise again tell the same, and are another object."""
    assert {getattr(kind("no answer"), name) for name in EVIDENCE} == {None, False}
    error = kind("it went wrong", **EVIDENCE)
    assert isinstance(error, requests.RequestException)
    assert isinstance(error, FAMILIES[kind])
    assert {name: getattr(error, name) for name in EVIDENCE} == EVIDENCE
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error)), copy_of(error)):
        assert twin is not error
        assert (type(twin), str(twin), vars(twin)) == (kind, "it went wrong", vars(error))


class TwoArgumentsError(Exception):
    """Cannot be made again from its args."""

    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


class ChangedError(Exception):
    """Comes out different when it is made again from its args."""

    def __init__(self, what):
        super().__init__(f"provider: {what}")


def test_copy_of_copies_any_ordinary_exception_and_gives_back_any_other():
    """Threads share errors of requests and of providers; one with ideas of its own comes unchanged."""
    request = requests.Request("POST", "https://x.example/").prepare()
    for failure in (requests.ConnectionError("no way", request=request), KeyError("a provider's own")):
        twin = copy_of(failure)
        assert twin is not failure
        assert (type(twin), twin.args, vars(twin)) == (type(failure), failure.args, vars(failure))
    for failure in (TwoArgumentsError("disk", "full"), ChangedError("disk full")):
        assert copy_of(failure) is failure
