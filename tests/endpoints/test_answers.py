"""What an answer means: ThingSpace's own words reach the caller, bounded and without secrets."""

import json
from email.utils import formatdate

import pytest

from requests_thingspace import LoginError, TokenRequestError
from requests_thingspace._endpoints.answers import (
    Answer,
    is_session_error,
    json_or_raise,
    retry_after,
)
from requests_thingspace._values import Secret, one_line

NOW = 1_700_000_000.0
SECRET = 's3cret "&/ü\U0001f600'
GOOD = {"access_token": "x", "expires_in": 3600}
FAULT = {"fault": {"code": "900901", "message": "Invalid Credentials", "description": "Access failure"}}
XML_FAULT = (
    b'<am:fault xmlns:am="http://wso2.org/apimanager"><am:code>404</am:code><am:type>Status report</am:type>'
    b"<am:message>Not Found</am:message><am:description>The requested resource is not available."
    b"</am:description></am:fault>"
)
M2M = {"errorCode": "UnifiedWebService.REQUEST_FAILED.Login", "errorMessage": "no"}


def refusal(status, body, secrets=(), hint=""):
    answer = Answer(status, Secret(body), NOW, secrets=secrets)
    with pytest.raises(TokenRequestError) as caught:
        json_or_raise(answer, "token request", TokenRequestError, hint)
    return caught.value


@pytest.mark.parametrize("status", [200, 299])
def test_a_json_object_with_a_good_status_is_the_document(status):
    """An OAuth "error": null is no error."""
    document = {**GOOD, "error": None, "errorCode": ""}
    answer = Answer(status, Secret(json.dumps(document).encode()), NOW)
    assert json_or_raise(answer, "token request", TokenRequestError).reveal() == document


# Only UTF-8 is JSON (RFC 8259 section 8.1).
NO_OBJECTS = [b"[]", b'"text"', b"null", b'{"a": "x"', b"\xff\xfe\x00", b'{"a": "\xff"}', b'{"a":' * 100_000]
NO_OBJECTS += [b'{"a": ' + b"9" * 5000 + b"}", '{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-32")]

ANSWERS = [
    (401, json.dumps(FAULT).encode(), "900901", "Invalid Credentials: Access failure"),
    (200, json.dumps(FAULT).encode(), "900901", "Invalid Credentials: Access failure"),
    (401, b'{"fault": {}}', "fault", None),
    (401, b'{"fault": {"code": 7, "message": [], "description": "d"}}', "7", "d"),
    (401, b'{"fault": "none of ours"}', None, None),
    (403, XML_FAULT, "404", "Not Found: The requested resource is not available."),
    (200, XML_FAULT, "404", "Not Found: The requested resource is not available."),
    (403, b"<am:message>&quot;Bearer&quot; &amp;lt; &x;</am:message>", "fault", '"Bearer" &lt; &x;'),
    (400, b'{"error": "invalid_client", "error_description": "who?"}', "invalid_client", "who?"),
    (200, b'{"error": "invalid_client", "access_token": "x"}', "invalid_client", None),
    (400, b'{"error": {"code": 7}, "error_description": ["no"]}', "error", None),
    (400, json.dumps(M2M).encode(), M2M["errorCode"], "no"),
    (200, json.dumps(M2M).encode(), M2M["errorCode"], "no"),
    (500, json.dumps(GOOD).encode(), None, None),
    (204, b"", None, "an empty body"),
    (200, b" \r\n", None, "an empty body"),
    (503, b"<html><body>Come back later</body></html>", None, "a web page or XML instead of JSON"),
    *[(200, body, None, "no JSON object") for body in NO_OBJECTS],
]


@pytest.mark.parametrize(("status", "body", "code", "description"), ANSWERS)
def test_anything_else_is_an_error_that_says_what_thingspace_said(status, body, code, description):
    """OAuth errors, gateway faults in JSON and XML, errorCode, HTML, empty, and what is no JSON."""
    error = refusal(status, body)
    assert (error.status, error.code, error.description) == (status, code, description)
    assert all(str(words) in str(error) for words in (status, code or "", (description or "").rstrip(".")))
    assert ".)" not in str(error)


def test_a_status_says_what_it_is_worth():
    """A redirect is not followed, a passing trouble is retryable; the hint and a wish to wait are kept."""
    for status in (301, 302, 303, 307, 308):
        assert "not followed" in str(refusal(status, json.dumps(GOOD).encode()))
    statuses = (400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 599)
    assert [status for status in statuses if not refusal(status, b"").retryable] == [400, 401, 403, 404]
    with pytest.raises(
        LoginError, match=r"no usable answer to the M2M login: HTTP 429 .*\. Look here\."
    ) as caught:
        json_or_raise(Answer(429, Secret(b""), NOW, 7.0), "M2M login", LoginError, "Look here.")
    assert caught.value.retry_after == 7.0


SPELLED = {
    "as it is": SECRET,
    "JSON": 's3cret \\"&/\\u00fc\\ud83d\\ude00',
    "JSON within JSON": json.dumps(json.dumps(SECRET, ensure_ascii=False))[3:-3],
    "JSON of Gson": 's3cret \\"\\u0026/\\u00FC\\uD83D\\uDE00',
    "a form": "s3cret+%22%26%2F%C3%BC%F0%9F%98%80",
    "a URL": "s3cret%20%22%26/%c3%bc%f0%9f%98%80",
    "HTML": "s3cret &quot;&amp;/&uuml;&#x1F600;",
    "XML": "s3cret &#34;&#38;/&#252;&#128512;",
    "Python": ascii(SECRET)[1:-1],
}


@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED)
def test_an_echoed_secret_is_blotted_out_in_every_spelling(spelled):
    """Our own secret gets neither into a message nor into the body that an error carries."""
    document = {"error": f"bad {spelled}!", "error_description": f"you sent {spelled}{spelled}"}
    error = refusal(401, json.dumps(document).encode(), secrets=(Secret(""), Secret(SECRET)))
    assert (error.code, error.description) == ("bad ***!", "you sent ******")
    fault = f"<am:message>you sent {spelled}</am:message>"
    error = refusal(403, fault.encode(), secrets=(Secret(SECRET),))
    assert (error.description, error.response.text) == ("you sent ***", fault.replace(spelled, "***"))


def test_a_secret_within_a_secret_is_blotted_out_as_a_whole():
    """The longest goes first, so that no rest of it is left over."""
    assert one_line("abcdef", [Secret("abc"), Secret("abcdef")]) == "***"
    assert one_line("\ud800", [Secret("\ud800")]) == "***"
    assert one_line("so&amp; C:\\\\ end", [Secret("so&"), Secret("C:\\")]) == "*** *** end"
    assert one_line("no\ttwo  words", [Secret("two  words")]) == "no ***"
    for many in ("!" * 99, "\\" * 99, "%25" * 33, "&amp;" * 20):  # it is found missing in no time
        assert one_line(many, [Secret(many[0] * 25 + "x")]) == many


def test_what_the_server_said_is_bounded_and_on_one_line():
    """400 kB, line ends and escapes of a terminal reach no log."""
    long = {"error": "e" * 400_000, "error_description": "d" * 400_000}
    error = refusal(400, json.dumps(long).encode())
    assert (len(error.code), len(error.description)) == (100, 300)
    assert len(str(error)) < 600
    nasty = {"error": "e\r\nX", "error_description": "no\r\n2026 INFO\x1b[2J\u2028\ud800 ok"}
    error = refusal(400, json.dumps(nasty).encode())
    assert (error.code, error.description) == ("e X", "no 2026 INFO [2J ok")


WAITS = {None: None, "0": 0, "7": 7, " 7.5 ": 7.5, "-1": 0, "1e3": 1000, "": None, "soon": None, "nan": None}
WAITS |= {"1e999": None, "-inf": None, "Fri, 99 Foo 99999 99:99:99 GMT": None}
WAITS |= {"Fri, 31 Dec 99999999999999 23:59:59 GMT": None, "Mon, 01 Jan 0001 00:00:00 -0000": 0}
WAITS |= {formatdate(NOW + 90, usegmt=True): 90, formatdate(NOW - 90, usegmt=True): 0}


def test_retry_after_is_read_or_left():
    """RFC 9110 section 10.2.3: seconds or a date; what is neither is no wish."""
    assert {value: retry_after(value, NOW) for value in WAITS} == WAITS


UWS = "Failure response received for UWS V1 REST accounts: "
ABOUT_THE_SESSION = [
    {"errorCode": "UnifiedWebService.REQUEST_FAILED.SessionToken.Expired"},
    {"errorCode": "UnifiedWebService.INPUT_INVALID.SessionToken.Invalid"},
    {"errorCode": "SessionToken.Expired"},
    {"error": "unauthorized", "error_description": f"{UWS}[400]"},
]
ABOUT_SOMETHING_ELSE = [
    {"error": "x", "error_description": f"{UWS}[401]"},
    {"errorCode": "UnifiedWebService.REQUEST_FAILED.AccountName", "errorMessage": "SessionToken."},
    {"errorCode": "MySessionToken.Expired"},
    {"errorCode": "REQUEST_FAILED.SessionToken"},
    {"errorCode": ["x.SessionToken.y"]},
    {"error_description": {"UWS V1 REST accounts: [400]": 1}},
    ["UnifiedWebService.REQUEST_FAILED.SessionToken.Expired"],
    {},
]


def test_which_answers_speak_of_the_session():
    """The errorCode without its service name, or Cloud Connector's wrapped form; never a message."""
    for document in (*ABOUT_THE_SESSION, *ABOUT_SOMETHING_ELSE):
        assert is_session_error(json.dumps(document).encode()) is (document in ABOUT_THE_SESSION)
    assert not is_session_error(b'{"errorCode": "X.SessionToken.Expired"')  # what is no JSON
