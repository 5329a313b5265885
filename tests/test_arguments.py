"""What the environment says for a constructor; what the constructor refuses is in test_auth.py."""

import pytest

from requests_thingspace import Environment
from requests_thingspace._arguments import arguments_from


def test_each_variable_is_an_argument():
    """The origin becomes an environment, the clock skew a number of seconds."""
    assert arguments_from(
        {
            "THINGSPACE_CLIENT_ID": "id",
            "THINGSPACE_CLIENT_SECRET": "secret",
            "THINGSPACE_USERNAME": "user",
            "THINGSPACE_PASSWORD": "password",
            "THINGSPACE_CLOCK_SKEW": "12.5",
            "THINGSPACE_BASE_URL": "https://localhost:8443/",
        }
    ) == {
        "client_id": "id",
        "client_secret": "secret",
        "username": "user",
        "password": "password",
        "clock_skew": 12.5,
        "environment": Environment.at("https://localhost:8443"),
    }


@pytest.mark.parametrize(
    "environ", [{}, {"THINGSPACE_USERNAME": "", "THINGSPACE_BASE_URL": ""}, {"HOME": "/"}]
)
def test_an_empty_variable_counts_as_missing(environ):
    """As does every other one."""
    assert arguments_from(environ) == {}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CLOCK_SKEW", "soon", "THINGSPACE_CLOCK_SKEW is no number of seconds: 'soon'"),
        ("BASE_URL", "localhost", "'localhost' is no origin"),
        ("BASE_URL", "http://thingspace.verizon.com", "plain http"),
    ],
)
def test_an_unreadable_variable_is_an_error_that_helps(name, value, message):
    """It says what was found, and what is wanted."""
    with pytest.raises(ValueError, match=message):
        arguments_from({f"THINGSPACE_{name}": value})
