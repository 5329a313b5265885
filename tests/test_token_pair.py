"""The two tokens of one client, where they meet a request."""

import pytest

from requests_thingspace import OAuthToken, SessionToken, ThingspaceAuth


@pytest.fixture
def bearer_only():
    """The tokens of a client that was never logged in."""
    return ThingspaceAuth("id", "secret", token=OAuthToken("abc")).tokens


def test_without_a_session_there_is_nothing_to_be_idle_or_to_forget(bearer_only):
    """As when `reset` drops a preset session token while a request is under way."""
    assert not bearer_only.can_log_in
    assert not bearer_only.session_was_idle()
    bearer_only.forget()
    assert bearer_only.sessions is None


def test_the_identity_of_a_token_is_its_client_place_and_scopes():
    """Two clients never share a cache entry; the order of scopes means nothing."""
    keys = {
        ThingspaceAuth(*pair, scopes=scopes).tokens.oauth.cache_key
        for pair, scopes in [
            (("id", "secret"), ()),
            (("id", "another secret"), ()),
            (("other", "secret"), ()),
            (("id", "secret"), ("a", "b")),
            (("id", "secret"), "b a"),
        ]
    }
    assert len(keys) == 3


def test_the_identity_of_a_session_is_its_user_and_place():
    """With a fingerprint that changes with the password, and with the client secret as its key."""
    managers = [
        ThingspaceAuth("id", secret, username="user", password=password).tokens.sessions
        for secret, password in [("s", "p"), ("s", "q"), ("t", "p")]
    ]
    assert len({manager.cache_key for manager in managers}) == 1
    assert len({manager.fingerprint for manager in managers}) == 3


def test_no_cache_is_asked_for_a_session_that_nobody_can_log_in():
    """A preset session token is nobody's to share."""
    auth = ThingspaceAuth("id", "secret", session_token=SessionToken("guid"), cache=_Forgetful())
    assert auth.get_session_token() == SessionToken("guid")
    auth.reset()
    with pytest.raises(ValueError, match="no M2M session"):
        auth.get_session_token()


class _Forgetful:
    """A cache that is only told to forget."""

    def forget(self, manager):
        """Nothing is kept."""
