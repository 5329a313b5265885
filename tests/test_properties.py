"""What holds for every input: any answer, any stored token, any URL, any Retry-After."""

import json
import math
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from requests_thingspace import InvalidTokenError, OAuthToken, SessionToken, ThingspaceAuth

from .catalogue import CLIENT_ID, CLIENT_SECRET
from .fuzz import targets
from .fuzz.targets import ALLOWED, ENVIRONMENT, SEEDS, destination
from .test_environment import COVERED, HOST, NOT_COVERED

pytestmark = pytest.mark.slow

NOW = 1_700_000_000.0
many = settings(max_examples=60, deadline=None)
thorough = settings(many, max_examples=250)


flat = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(flat, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner))
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
lives = flat | st.sampled_from(["3600", "3600.0", "1e18", 1e18, "NaN", 2**63, 10**400, "1_0", "٣"])
token_like = st.fixed_dictionaries(
    {},
    optional={
        "access_token": visible | documents,
        "token_type": st.sampled_from(["Bearer", "bearer", "mac"]) | documents,
        "expires_in": lives | documents,
        "expires_at": lives | documents,
        "scope": st.sampled_from(["ts.ro", " a b "]) | documents,
        **dict.fromkeys(["error", "errorCode", "fault"], documents),
    },
)


@many
@given(st.binary(max_size=200) | (documents | token_like).map(json.dumps).map(str.encode))
def test_any_answer_is_a_usable_token_or_an_error(body):
    """Nothing else comes out, and the error can be printed."""
    targets.token_answer(body)


sessions = st.dictionaries(st.sampled_from(["sessionToken", "session_token"]), visible | documents)


@many
@given(st.sampled_from([OAuthToken, SessionToken]), documents | visible | token_like | sessions)
def test_any_stored_document_is_a_usable_token_or_refused(kind, document):
    """It makes a header that can be sent, has an expiry that compares, and is the same when read again."""
    try:
        token = kind.from_dict(document, now=NOW)
    except InvalidTokenError:
        return
    headers = {"Authorization": f"Bearer {token.value}"}
    header = requests.Request("GET", "https://x.example/", headers).prepare().headers["Authorization"]
    assert (header.isascii(), header.isprintable(), len(header.split())) == (True, True, 2)
    assert token.expires_at is None or math.isfinite(token.expires_at)
    stored = json.loads(json.dumps(token.to_dict(), allow_nan=False))
    assert kind.from_dict(stored, now=0.0) == token


def spellings(table):
    """The URLs of a table of `test_environment`, for each of these origins."""
    origin, theirs = f"https://{HOST}", ENVIRONMENT.origins
    return st.sampled_from([url.replace(origin, one) for url in table if origin in url for one in theirs])


ODD = [*" \t\n\0\\/@:%?#;.[]éß\u2044\uff0f\uff20\uff1a\u3002\u00ad\u200b\ud800", "", "", "//", "..", "%40"]

seeds, odd = st.sampled_from([url.decode() for url in SEEDS["covered_url"]]), st.sampled_from(ODD)
urls = spellings(COVERED) | spellings(NOT_COVERED) | seeds
joined = st.tuples(urls, st.integers(0, 40), odd, urls).map(lambda t: t[0][: t[1]] + t[2] + t[3][t[1] :])
endpoints = st.sampled_from([ENVIRONMENT.token_url, ENVIRONMENT.login_url, ENVIRONMENT.logout_url])
tails = st.sampled_from(["", "/", "s", "?x", "#x", "/../token", "%2f"])


@thorough
@given(urls | joined | st.tuples(endpoints, tails).map("".join))
def test_only_a_url_that_leads_to_a_covered_origin_is_stamped(url):
    """With requests' and urllib3's own reading as the judge; the auth decides as the environment would."""
    targets.covered_url(url.encode("utf-8", "surrogatepass"))
    prepared, _ = destination(url)
    assert not ENVIRONMENT.covers(prepared) or "@" not in urlsplit(prepared).netloc
    auth = ThingspaceAuth(CLIENT_ID, CLIENT_SECRET, environment=ENVIRONMENT, token={"access_token": "x"})
    request = requests.Request("GET", "https://bank.example/").prepare()
    request.url = url
    stamped = "Authorization" in auth(request).headers
    assert stamped == (ENVIRONMENT.session_header_for(url) is not None)


@many
@given(st.sampled_from(ENVIRONMENT.origins), st.text(max_size=30), st.booleans())
def test_a_plain_url_of_a_covered_origin_is_covered(origin, path, shouted):
    """No path, query or case costs a request its token."""
    prepared, where = destination(f"{origin.upper() if shouted else origin}/{path}")
    if prepared is not None:
        assert where in ALLOWED
        assert ENVIRONMENT.covers(prepared)


def test_the_fuzz_targets_pass_their_seeds():
    """What the fuzzer starts from, and what it ever found."""
    for name, seeds in SEEDS.items():
        for seed in seeds:
            getattr(targets, name)(seed)
