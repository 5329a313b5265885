"""urllib3's Retry on the adapter: it and this library each see to their own failures."""

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from requests_thingspace import mount


def retry(*statuses, raise_on_status=True):
    return Retry(total=3, status_forcelist=statuses, raise_on_status=raise_on_status)


@pytest.fixture
def with_retry(face, auth, plain):
    """A function that makes a Session with a Retry, through one face and then through the other."""

    def with_retry(max_retries):
        if face == "adapter":
            return mount(plain, auth(), max_retries=max_retries)
        plain.auth = auth()
        plain.mount("https://", HTTPAdapter(max_retries=max_retries))
        return plain

    return with_retry


@pytest.mark.parametrize("raise_on_status", [True, False])
def test_a_retried_503_and_a_replayed_401_go_together(sandbox, with_retry, account, raise_on_status):
    """Retry sees to the one, this library to the other, on the same call."""
    session = with_retry(retry(503, raise_on_status=raise_on_status))
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=503, times=2)
    assert session.get(account).status_code == 200
    assert (sandbox.calls["token"], sandbox.answers["api", 401], sandbox.answers["api", 503]) == (2, 1, 2)


def test_401_in_the_list_is_replayed_where_retry_gives_the_answer_back(sandbox, with_retry, account):
    """raise_on_status=False: after its attempts Retry gives back the 401."""
    session = with_retry(retry(401, 503, raise_on_status=False))
    session.get(account)
    sandbox.revoke_tokens()
    assert session.get(account).status_code == 200
    assert sandbox.calls["token"] == 2


def test_401_in_the_list_of_the_mounted_adapter_is_taken_off(sandbox, plain, auth, account):
    """raise_on_status=True: the dead token is sent once, not four times, and a 503 is retried as before."""
    session = mount(plain, auth(), max_retries=retry(401, 503))
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=503, times=3)
    assert session.get(account).status_code == 200
    assert (sandbox.calls["token"], sandbox.answers["api", 401], sandbox.answers["api", 503]) == (2, 1, 3)


def test_401_in_the_list_of_another_adapter_hides_it(sandbox, plain, auth, account):
    """raise_on_status=True raises below the auth, which cannot replay what it does not see; reset() helps."""
    plain.auth = auth()
    plain.mount("https://", HTTPAdapter(max_retries=retry(401)))
    plain.get(account)
    sandbox.revoke_tokens()
    with pytest.raises(requests.exceptions.RetryError, match="too many 401 error responses"):
        plain.get(account)
    plain.auth.reset()
    assert plain.get(account).status_code == 200
