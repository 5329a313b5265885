"""CacheControl and requests-cache: an answer from the cache costs nothing, and no token gets into it."""

import pickle

import pytest
from cachecontrol import CacheControl, CacheControlAdapter
from cachecontrol.cache import DictCache
from requests_cache import DEFAULT_IGNORED_PARAMS, CachedSession

from requests_thingspace import ThingspaceAdapter, mount

from ..catalogue import EXPIRED

# What requests-cache 1.3 has on Python 3.9 calls the newest idna in its old way.
pytestmark = pytest.mark.filterwarnings("ignore:Transitional processing:DeprecationWarning")

FRESH = {"status": 200, "body": {"n": 1}, "headers": {"Cache-Control": "max-age=600"}}
IGNORED = [*DEFAULT_IGNORED_PARAMS, "VZ-M2M-Token", "SessionToken"]


class CachingAdapter(CacheControlAdapter, ThingspaceAdapter):
    """Looks into the cache first, and stamps what has to be sent."""


def assert_no_token_of(auth, stored):
    for token in (auth.get_token(), auth.get_session_token()):
        assert token.value.encode() not in stored()


@pytest.fixture
def counts(sandbox):
    """A function that tells how many calls the sandbox has received: of tokens, logins and the API."""
    return lambda: tuple(sandbox.calls[name] for name in ("token", "login", "api"))


@pytest.fixture
def cache_control(plain, auth, face):
    """A Session with CacheControl, its auth, and a function that gives what is stored."""
    ours, cache = auth(session=plain), DictCache()
    if face == "auth":
        plain.auth = ours
        CacheControl(plain, cache)
    else:
        plain.mount("https://", CachingAdapter(auth=ours, cache=cache))
    return plain, ours, lambda: pickle.dumps(cache.data)


@pytest.fixture
def requests_cache(sandbox, auth, tmp_path, attach):
    """A CachedSession on a file, its auth, and a function that gives what is stored."""
    path, settings = tmp_path / "cache.sqlite", {"ignored_parameters": IGNORED, "match_headers": True}
    with CachedSession(path, backend="sqlite", **settings) as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        ours = auth()
        yield attach(session, ours), ours, path.read_bytes


@pytest.mark.parametrize("kind", ["cache_control", "requests_cache"])
def test_an_answer_from_the_cache_costs_nothing(sandbox, request, kind, face, account, echo, counts):
    """It is the replayed one, without a token in it, and no use of the session, which ThingSpace ends."""
    session, auth, stored = request.getfixturevalue(kind)
    session.get(echo)
    refused = auth.token.value, auth.session_token.value
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=401)
    sandbox.fail_next("api", status=400, body=EXPIRED)
    sandbox.fail_next("api", **FRESH)
    assert [session.get(account).json() for _ in range(3)] == [{"n": 1}] * 3
    assert counts() == (2, 2, 1 + 3)
    assert b"max-age" in stored()
    assert_no_token_of(auth, stored)
    assert not [token for token in refused if token.encode() in stored()]
    sandbox.advance(9 * 60)
    session.get(account)
    sandbox.advance(12 * 60)
    sandbox.fail_next("api", status=401)
    assert session.get(f"{echo}?again").status_code == 200
    assert counts() == (3, 3, 4 + 2)


def test_cachecontrol_revalidates_with_a_token(sandbox, cache_control, account, counts):
    """A 304 is an accepted call: the cached body is given again."""
    session, auth, stored = cache_control
    sandbox.fail_next("api", status=200, body={"n": 1}, headers={"ETag": '"1"'})
    session.get(account)
    sandbox.fail_next("api", status=304, headers={"ETag": '"1"'})
    assert session.get(account).json() == {"n": 1}
    assert counts() == (1, 1, 2)
    assert_no_token_of(auth, stored)


def test_the_caching_adapter_asks_the_cache_before_a_token(sandbox, plain, auth, account, counts):
    """A cold process then calls nothing; but a mounted adapter stands in the way of CacheControl's."""
    cache = DictCache()
    sandbox.fail_next("api", **FRESH)
    for _ in range(2):
        plain.mount("https://", CachingAdapter(auth=auth(), cache=cache))
        assert plain.get(account).json() == {"n": 1}
    assert counts() == (1, 1, 1)
    mount(CacheControl(plain, cache), auth())
    assert plain.get(account).json() != {"n": 1}


def test_requests_cache_finds_its_answer_after_a_renewal(
    sandbox, requests_cache, face, auth, account, counts
):
    """The tokens are no part of the key; the hooks that it calls twice for a 401 cost one token call."""
    session, ours, stored = requests_cache
    session.get(account)
    ours.revoke()
    ours.logout()
    assert session.get(account).from_cache
    assert b"REDACTED" in stored()
    assert_no_token_of(ours, stored)
    tokens, logins, api = counts()
    assert session.get(f"{sandbox.origin}/sandbox/status/401").status_code == 401
    assert (api, counts()) == (1, (tokens + 1, logins, 2))
    if face == "adapter":  # behind it a cold process needs no token
        assert mount(session, auth()).get(account).from_cache
        assert counts() == (tokens + 1, logins, 2)


def test_tokens_are_never_cached(sandbox, plain, auth):
    """Not even where the Session of the token calls has a cache that keeps every kind of call."""
    everything = {"allowable_methods": ["GET", "POST"], "ignored_parameters": IGNORED}
    with CachedSession("memory", backend="memory", **everything) as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        session.auth = ours = auth(session=session)
        first = ours.get_token().access_token
        ours.reset()
        assert ours.get_token().access_token == first
        assert sandbox.calls["token"] == 2
        assert list(session.cache.responses) == []
