"""KeyringTokenCache: the keyring keeps the entries, a lock file makes up for the lock that it lacks."""

import keyring
import keyring.backends.fail

from requests_thingspace import KeyringTokenCache

from .shelf import KEY, get_anew, told


def test_a_machine_without_a_keyring(connect, sandbox, plain_keyring, use_keyring, caplog):
    """Where no keyring is to be had every API call is 200, with one warning, and it may come back."""
    session = connect(cache=KeyringTokenCache())
    assert get_anew(sandbox, session) == {200}
    for backend in (keyring.backends.fail.Keyring(), plain_keyring):
        use_keyring(backend)
        assert [get_anew(sandbox, session) for _ in range(2)] == [{200}, {200}]
    assert told(caplog) == ["WARNING", "INFO"]


def test_two_services_are_apart(plain_keyring):
    """A service of one's own has entries and locks of its own."""
    mine, theirs = KeyringTokenCache("mine"), KeyringTokenCache("theirs")
    with mine.lock(KEY), theirs.lock(KEY):
        mine.save(KEY, {"access_token": "a-token"}, 60)
        assert theirs.load(KEY) is None
