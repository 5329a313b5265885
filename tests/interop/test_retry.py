"""urllib3's Retry on the adapter: it and this library each see to their own failures."""

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from requests_thingspace import mount


@pytest.fixture
def with_retry(auth, plain):
    """A function that makes a Session with a Retry for some statuses, through a face."""

    def with_retry(face, *statuses, raise_on_status):
        retry = Retry(total=3, status_forcelist=statuses, raise_on_status=raise_on_status)
        if face == "adapter":
            return mount(plain, auth(), max_retries=retry)
        plain.auth = auth()
        plain.mount("https://", HTTPAdapter(max_retries=retry))
        return plain

    return with_retry


@pytest.mark.parametrize(
    ("statuses", "raise_on_status"), [((503,), True), ((503,), False), ((401, 503), False)]
)
def test_a_retried_503_and_a_replayed_401_go_together(
    sandbox, with_retry, face, account, statuses, raise_on_status
):
    """Retry sees to the one, this library to the other; a 401 in its list is given back in the end."""
    session = with_retry(face, *statuses, raise_on_status=raise_on_status)
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=503, times=2)
    assert session.get(account).status_code == 200
    assert (sandbox.calls["token"], sandbox.answers["api", 503]) == (2, 2)
    assert sandbox.answers["api", 401] == 1 or 401 in statuses


def test_401_in_the_list_of_the_mounted_adapter_is_taken_off(sandbox, with_retry, account):
    """raise_on_status=True: the dead token is sent once, not four times, and a 503 is retried as before."""
    session = with_retry("adapter", 401, 503, raise_on_status=True)
    session.get(account)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=503, times=3)
    assert session.get(account).status_code == 200
    assert (sandbox.calls["token"], sandbox.answers["api", 401], sandbox.answers["api", 503]) == (2, 1, 3)


def test_401_in_the_list_of_another_adapter_hides_it(sandbox, with_retry, account):
    """raise_on_status=True raises below the auth, which cannot replay what it does not see; reset() helps."""
    session = with_retry("auth", 401, raise_on_status=True)
    session.get(account)
    sandbox.revoke_tokens()
    with pytest.raises(requests.exceptions.RetryError, match="too many 401 error responses"):
        session.get(account)
    session.auth.reset()
    assert session.get(account).status_code == 200
