"""The script's tests: a ThingSpace for each, with a clock and faults."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from fleet_report import connected_devices


def test_it_counts_what_is_connected(thingspace):
    """The sandbox's account has 250 devices, of which every other one is connected."""
    assert connected_devices(thingspace.session(), thingspace.origin, thingspace.account) == 125


def test_it_goes_on_in_the_morning(thingspace):
    """A Session that was idle overnight needs a new token and a new login, and nobody notices."""
    session = thingspace.session()
    connected_devices(session, thingspace.origin, thingspace.account)
    thingspace.advance(12 * 3600)
    assert connected_devices(session, thingspace.origin, thingspace.account) == 125
    assert (thingspace.calls["token"], thingspace.calls["login"]) == (2, 2)


def test_it_survives_a_revoked_token(thingspace):
    """Another program revokes the token that all share."""
    session = thingspace.session()
    connected_devices(session, thingspace.origin, thingspace.account)
    thingspace.revoke_tokens()
    assert connected_devices(session, thingspace.origin, thingspace.account) == 125


def test_an_outage_of_the_token_endpoint_is_an_error_of_requests(thingspace):
    """The endpoint is tried three times in all."""
    thingspace.fail_next("token", status=503, times=3)
    with pytest.raises(requests.RequestException):
        connected_devices(thingspace.session(), thingspace.origin, thingspace.account)
    assert thingspace.calls["api"] == 0


def test_an_api_that_fails_is_not_called_twice(thingspace):
    """A 500 of the API is no matter of tokens: it goes to the caller."""
    thingspace.fail_next("api", status=500)
    with pytest.raises(requests.HTTPError):
        connected_devices(thingspace.session(), thingspace.origin, thingspace.account)
    assert thingspace.calls["api"] == 1


def test_the_script_as_a_whole(thingspace_env):
    """The environment leads it to the sandbox, and any other program that reads THINGSPACE_*."""
    script = Path(__file__).with_name("fleet_report.py")
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert ran.stdout == "125\n"
    assert thingspace_env.calls["api"] == 1
