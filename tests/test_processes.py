"""One token for a fleet of processes that start, fork, are pickled, and are killed."""

import copy
import json
import pickle
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from requests_thingspace import FileTokenCache, RedisTokenCache, ThingspaceAdapter

from .caches.redis_server import RedisServer
from .children import (
    CONTEXT,
    Ahead,
    Child,
    forking_server,
    is_refused,
    member,
    new_session,
    token_in_time_zone,
    write_for_ever,
)

PROCESSES, THREADS = 8, 8


@pytest.fixture(scope="module")
def redis_server():
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["file", "redis"])
def cache(request, tmp_path):
    """An empty cache that processes can share, of either kind; or none, where a test asks for that."""
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.empty()
        return RedisTokenCache(server.url, lease=2.0)
    return FileTokenCache(tmp_path / "tokens" / "tokens.json") if request.param == "file" else None


@pytest.mark.slow
@pytest.mark.parametrize(("cache", "face"), [("file", "auth"), ("redis", "adapter")], indirect=["cache"])
def test_a_fleet_has_one_token(sandbox, cache, account, bare, face, spent):
    """8 processes of 8 threads: one token call and one login when cold, one each time it ends."""
    ahead, gate, phases = Ahead(), CONTEXT.Barrier(PROCESSES + 1), 3
    auth = bare(cache=cache, clock=ahead.clock)
    sessions = [new_session(auth, sandbox.ca_file, face) for _ in range(THREADS)]
    fleet = [Child(member, sessions, account, gate, phases) for _ in range(PROCESSES)]

    for seconds, calls in [(0, (1, 1)), (3601, (2, 2))]:  # cold; expired, and the session idle for too long
        ahead.seconds.value = seconds
        sandbox.advance(seconds)
        gate.wait(60)
        gate.wait(60)
        assert spent() == calls

    gate.wait(60)  # revoked while they are at it
    assert sandbox.wait_for_calls("api", sandbox.calls["api"] + 40)
    sandbox.revoke_tokens()
    gate.wait(60)
    assert spent() == (3, 2)

    assert [set(child.result()) for child in fleet] == [{200}] * PROCESSES


@pytest.mark.slow
def test_a_crash_loop_with_a_wrong_password_logs_in_once(sandbox, cache, bare):
    """8 services with a wrong password, each restarted 3 times: one login, and the account is not locked."""
    auth = bare(cache=cache, password="wrong")

    def restarts(_):
        return [Child(is_refused, auth).result() for _ in range(3)]

    with ThreadPoolExecutor(PROCESSES) as services:
        assert list(services.map(restarts, range(PROCESSES))) == [[True] * 3] * PROCESSES
    assert sandbox.calls["login"] == 1
    assert not sandbox.locked


def test_a_lock_that_is_never_given_up_costs_its_timeout(cache, bare, beside, caplog):
    """Whoever waits for it goes on without it, says so once, and saves the token all the same."""
    cache.lock_timeout = 0.5
    bearer_only = {"cache": cache, "username": None, "password": None}
    auth = bare(**bearer_only)
    with cache.lock(auth.cache_keys["bearer"]):
        token = beside(auth.get_token).result(20)
        assert bare(**bearer_only).get_token() == token
    assert [r.levelname for r in caplog.records if "the token cache" in r.getMessage()] == ["WARNING"]


@pytest.mark.slow
def test_the_file_is_whole_at_any_time(tmp_path):
    """Writers are killed at 50 random moments, and the file can be read after each."""
    cache, key, dice = FileTokenCache(tmp_path / "tokens" / "tokens.json"), "0" * 64, random.Random(4)
    cache.save(key, {"filler": "x" * 50_000}, 3600.0)
    writers = [Child(write_for_ever, cache, key) for _ in range(4)]
    last = cache.load(key)
    for _ in range(50):
        while (entry := json.loads(cache.path.read_bytes())[key]["entry"]) == last:
            assert len(entry["filler"]) == 50_000
        time.sleep(dice.random() * 0.005)
        writers.pop(0).kill()
        writers.append(Child(write_for_ever, cache, key))
        last = entry
    for writer in writers:
        writer.kill()
    assert cache.load(key)["filler"] == "x" * 50_000


@pytest.mark.parametrize("cache", ["file", "redis", None], indirect=True)
def test_a_server_forks_in_mid_fetch(sandbox, cache, account, bare, spent):
    """Workers that are forked while a thread renews do not inherit its locks; without a cache each asks."""
    gate = CONTEXT.Barrier(2)
    sandbox.slow("token", 0.5)
    server = Child(forking_server, bare(cache=cache), gate, sandbox.ca_file, account, daemon=False)
    assert sandbox.wait_for_calls("token", 1)
    gate.wait(60)
    assert server.result(20) == [0, 0]
    assert spent() == ((1, 1) if cache else (3, 2))


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
@pytest.mark.parametrize("carrier", ["auth", "adapter", "session with auth", "session with adapter"])
def test_twins(sandbox, account, bare, twin_of, carrier, spent):
    """A copied or pickled auth, adapter or Session has the tokens, and renews them on its own."""
    auth = bare()
    session = new_session(auth, sandbox.ca_file, "adapter" if "adapter" in carrier else "auth")
    assert session.get(account).status_code == 200
    if carrier == "auth":
        twin = new_session(twin_of(auth), sandbox.ca_file)
    elif carrier == "adapter":
        twin = new_session(None, sandbox.ca_file)
        twin.mount(sandbox.origin, twin_of(ThingspaceAdapter(auth)))
    else:
        twin = twin_of(session)
    with session, twin:
        assert twin.get(account).status_code == 200
        assert spent() == (1, 1)
        sandbox.revoke_tokens()
        sandbox.end_sessions()
        assert [s.get(account).status_code for s in (twin, session)] == [200, 200]
        assert spent() in ((2, 2), (3, 3))  # a shallow copy of a Session shares the auth


@pytest.mark.parametrize("cache", ["file"], indirect=True)
def test_a_token_of_another_time_zone(sandbox, cache, bare):
    """What a machine in Tokyo wrote expires in New York at the same instant."""
    auth = bare(cache=cache)
    # Zones in POSIX's own words: a machine may have no time zone data.
    there, hour_there = Child(token_in_time_zone, auth, "JST-9").result()
    here, hour_here = Child(token_in_time_zone, auth, "EST5EDT,M3.2.0,M11.1.0").result()
    assert hour_there != hour_here
    assert there == here
    assert there == pytest.approx(time.time() + 3600, abs=30)
    assert sandbox.calls["token"] == 1
