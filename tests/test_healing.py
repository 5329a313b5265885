"""Which redirects stay on their origin, and what is never sent again."""

import pytest
import requests

from requests_thingspace._healing import stays_on_origin


@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("/api/x", True),
        ("/", True),
        ("/?to=https://elsewhere.example/", True),
        ("https://thingspace.verizon.com/api/x", True),
        ("https://thingspace.verizon.com", False),
        ("//elsewhere.example/x", False),
        ("/\\elsewhere.example/x", False),
        ("\\\\elsewhere.example", False),
        ("https://thingspace.verizon.com@elsewhere.example/", False),
        ("https://thingspace.verizon.com.elsewhere.example/", False),
        ("https://thingspace.verizon.com:8443/", False),
        ("http://thingspace.verizon.com/", False),
        ("HTTPS://THINGSPACE.VERIZON.COM/", False),
        ("https:/\\elsewhere.example", False),
        ("relative", False),
        ("", False),
    ],
)
def test_only_what_certainly_stays_keeps_the_session_header(location, stays):
    """In doubt the header is dropped; the next origin then gets it anew, if it is covered."""
    response = requests.Response()
    response.headers["Location"] = location
    response.request = requests.Request("GET", "https://thingspace.verizon.com/api/m2m").prepare()
    assert stays_on_origin(response) == stays


def test_a_request_with_a_strange_url_stays_nowhere():
    """A URL that names no origin proves nothing."""
    response = requests.Response()
    response.headers["Location"] = "https://thingspace.verizon.com/"
    response.request = requests.PreparedRequest()
    assert not stays_on_origin(response)
