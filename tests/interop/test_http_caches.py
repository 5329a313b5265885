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

FRESH = {"Cache-Control": "max-age=600"}
IGNORED = [*DEFAULT_IGNORED_PARAMS, "VZ-M2M-Token", "SessionToken"]


class CachingAdapter(CacheControlAdapter, ThingspaceAdapter):
    """Looks into the cache first, and stamps what has to be sent."""


def counts(sandbox):
    return tuple(sandbox.calls[name] for name in ("token", "login", "api"))


def tokens_of(auth):
    return {auth.get_token().value.encode(), auth.get_session_token().value.encode()}


def assert_none_of(tokens, stored):
    assert not [token for token in tokens if token in stored]


@pytest.fixture
def cache_control(plain, auth):
    """A function that makes a Session with CacheControl, for a face; its auth; and what is stored."""

    def cache_control(face):
        ours, cache = auth(session=plain), DictCache()
        if face == "auth":
            plain.auth = ours
            CacheControl(plain, cache)
        else:
            plain.mount("https://", CachingAdapter(auth=ours, cache=cache))
        return plain, ours, lambda: pickle.dumps(cache.data)

    return cache_control


@pytest.fixture
def requests_cache(sandbox, auth, tmp_path):
    """A function that makes a CachedSession on a file, for a face; its auth; and what is stored."""
    path, sessions = tmp_path / "cache.sqlite", []

    def requests_cache(face, **settings):
        session, ours = CachedSession(path, backend="sqlite", ignored_parameters=IGNORED, **settings), auth()
        sessions.append(session)
        session.trust_env, session.verify = False, sandbox.ca_file
        if face == "adapter":
            mount(session, ours)
        else:
            session.auth = ours
        return session, ours, path.read_bytes

    yield requests_cache
    for session in sessions:
        session.close()


@pytest.fixture(params=["cache_control", "requests_cache"])
def cached(request, face):
    """A Session with either cache, its auth, and what is stored."""
    return request.getfixturevalue(request.param)(face)


def test_an_answer_from_the_cache_costs_nothing(sandbox, cached, account):
    """The token and the login were needed once, for the answer that is cached."""
    session, auth, stored = cached
    sandbox.fail_next("api", status=200, body={"n": 1}, headers=FRESH)
    assert [session.get(account).json() for _ in range(3)] == [{"n": 1}] * 3
    assert counts(sandbox) == (1, 1, 1)
    assert b"max-age" in stored()
    assert_none_of(tokens_of(auth), stored())


def test_the_replayed_answer_is_cached(sandbox, cached, account, echo):
    """Not the refusals before it; the tokens that were refused are not stored either."""
    session, auth, stored = cached
    session.get(echo)
    tokens = tokens_of(auth)
    sandbox.revoke_tokens()
    sandbox.fail_next("api", status=401)
    sandbox.fail_next("api", status=400, body=EXPIRED)
    sandbox.fail_next("api", status=200, body={"n": 1}, headers=FRESH)
    assert session.get(account).json() == session.get(account).json() == {"n": 1}
    assert counts(sandbox) == (2, 2, 1 + 3)
    assert_none_of(tokens | tokens_of(auth), stored())


def test_an_answer_from_the_cache_does_not_count_as_use_of_the_session(sandbox, cached, account, echo):
    """ThingSpace has not seen it: after 20 idle minutes a 401 is the session's fault all the same."""
    session, _, _ = cached
    sandbox.fail_next("api", status=200, body={"n": 1}, headers=FRESH)
    session.get(account)
    sandbox.advance(15 * 60)
    session.get(account)
    sandbox.advance(6 * 60)
    sandbox.fail_next("api", status=401)
    assert session.get(echo).status_code == 200
    assert counts(sandbox) == (2, 2, 1 + 2)


def test_cachecontrol_revalidates_with_a_token(sandbox, cache_control, face, account):
    """A 304 is an accepted call: the cached body is given again."""
    session, auth, stored = cache_control(face)
    sandbox.fail_next("api", status=200, body={"n": 1}, headers={"ETag": '"1"'})
    session.get(account)
    sandbox.fail_next("api", status=304, headers={"ETag": '"1"'})
    assert session.get(account).json() == {"n": 1}
    assert counts(sandbox) == (1, 1, 2)
    assert_none_of(tokens_of(auth), stored())


def test_under_the_caching_adapter_a_cold_process_needs_no_token(sandbox, plain, auth, account):
    """The cache is asked before the token is: nothing is called at all."""
    cache = DictCache()
    plain.mount("https://", CachingAdapter(auth=auth(), cache=cache))
    sandbox.fail_next("api", status=200, body={"n": 1}, headers=FRESH)
    plain.get(account)
    plain.mount("https://", CachingAdapter(auth=auth(), cache=cache))
    assert plain.get(account).json() == {"n": 1}
    assert counts(sandbox) == (1, 1, 1)


def test_mount_wins_over_cachecontrol(sandbox, plain, auth, account):
    """The mounted adapter stands in the way of CacheControl's: calls are sent, and never cached."""
    cache = DictCache()
    mount(CacheControl(plain, cache), auth())
    sandbox.fail_next("api", status=200, body={"n": 1}, headers=FRESH)
    assert plain.get(account).json() == {"n": 1}
    assert plain.get(account).json() != {"n": 1}
    assert cache.data == {}


def test_requests_cache_finds_its_answer_after_a_renewal(sandbox, requests_cache, face, account):
    """The tokens are no part of the key, not even where headers are."""
    session, auth, stored = requests_cache(face, match_headers=True)
    session.get(account)
    tokens = tokens_of(auth)
    auth.revoke()
    auth.logout()
    assert session.get(account).from_cache
    assert sandbox.calls["api"] == 1
    assert b"REDACTED" in stored()
    assert_none_of(tokens | tokens_of(auth), stored())


def test_requests_cache_and_a_401_that_stays(sandbox, requests_cache, face):
    """It calls the hooks a second time, which costs no second token call."""
    session, _, _ = requests_cache(face)
    url = f"{sandbox.origin}/sandbox/status/401"
    assert session.get(url).status_code == 401
    assert counts(sandbox) == (2, 1, 1)


def test_behind_the_adapter_a_cold_process_needs_no_token(sandbox, requests_cache, auth, account):
    """The cache is asked before the adapter is."""
    session, _, _ = requests_cache("adapter")
    session.get(account)
    assert mount(session, auth()).get(account).from_cache
    assert counts(sandbox) == (1, 1, 1)


def test_tokens_are_never_cached(sandbox, plain, auth):
    """Not even where the Session of the token calls has a cache that keeps every kind of call."""
    everything = {"allowable_methods": ["GET", "POST"], "ignored_parameters": IGNORED}
    with CachedSession("memory", backend="memory", **everything) as session:
        session.trust_env, session.verify = False, sandbox.ca_file
        ours = auth(session=session)
        session.auth = ours
        first = ours.get_token().access_token
        ours.reset()
        assert ours.get_token().access_token == first
        assert counts(sandbox)[0] == 2
        assert list(session.cache.responses) == []
