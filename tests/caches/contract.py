"""What comes of a shared entry: the rules of logins and refusals, with every backend of ours.

They are rules of TokenCache and of the core. What a backend alone can break is in the suite that ships.
"""

from contextlib import suppress

import pytest
import requests

from requests_thingspace import LoginRefusedError, ThingspaceAuth, TokenRequestError
from requests_thingspace.sandbox import Sandbox
from requests_thingspace.testing import TokenCacheContract, _statuses, _together


def refused_login(auth):
    """The refusal that a client with a wrong password is told."""
    with pytest.raises(LoginRefusedError) as refused:
        auth.get_session_token()
    return refused.value


def refused_token(auth):
    """The error that a client is told for whom there is no token."""
    with pytest.raises(TokenRequestError) as refused:
        auth.get_token()
    return refused.value


class OwnCacheContract(TokenCacheContract):
    """The suite that ships, and the rules above it."""

    @pytest.mark.parametrize(
        ("end", "token_calls", "logins"), [(Sandbox.revoke_tokens, 2, 1), (Sandbox.end_sessions, 1, 2)]
    )
    def test_what_has_ended_is_replaced_once_for_all(self, end, token_calls, logins):
        """The first client that learns of it gets a token or session, the others pick up the successor."""
        with Sandbox() as sandbox:
            sessions = self._sessions(sandbox)
            _statuses(sandbox, sessions)
            end(sandbox)
            assert _statuses(sandbox, sessions) == [200] * self.fleet
            assert (sandbox.calls["token"], sandbox.calls["login"]) == (token_calls, logins)

    def test_a_changed_password_is_tried_at_once(self):
        """A refusal counts for the credentials that were refused, and a success is shared again."""
        with Sandbox() as sandbox:
            for wrong in ("wrong", "wrong", "wrong"):
                refused_login(self._auths(sandbox, password=wrong)[0])
            assert sandbox.calls["login"] == 1
            tokens = _together(ThingspaceAuth.get_session_token, self._auths(sandbox))
            assert len(set(tokens)) == 1
            assert sandbox.calls["login"] == 2

    def test_after_two_wrong_passwords_no_other_is_tried(self):
        """Two different passwords refused in a row are enough: the account would be locked soon."""
        with Sandbox() as sandbox:
            for wrong in ("wrong", "worse", "wrong", "worse", "worst"):
                refused_login(self._auths(sandbox, password=wrong)[0])
            assert sandbox.calls["login"] == 2
            right = self._auths(sandbox)[0]
            assert "call auth.reset()" in str(refused_login(right))
            right.reset()
            right.get_session_token()
            assert sandbox.calls["login"] == 3

    def test_a_refusal_leaves_the_token_of_others(self):
        """A service with a wrong password costs those with the right one nothing, and is refused once."""
        with Sandbox() as sandbox:
            right, late, wrong = *self._auths(sandbox)[:2], self._auths(sandbox, password="wrong")[0]
            session = right.get_session_token()
            sandbox.end_sessions()
            url = f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}"
            with requests.Session() as http:
                http.verify, http.trust_env = sandbox.ca_file, False
                with suppress(LoginRefusedError):
                    http.get(url, auth=wrong)
            assert late.get_session_token() == session
            assert sandbox.calls["login"] == 2

    def test_reset_gives_a_refused_login_another_chance(self):
        """What is remembered of a refusal is cleared for all clients, also where one goes on trying."""
        with Sandbox() as sandbox:
            stubborn, fixed = self._auths(sandbox, password="wrong")[:2]
            refused_login(stubborn)
            refused_login(fixed)
            fixed.reset()
            sandbox.advance(3)  # the cool-down of a failed renewal is over
            refused_login(stubborn)
            assert sandbox.calls["login"] == 1
            refused_login(fixed)
            assert sandbox.calls["login"] == 2

    def test_revoke_clears_the_shared_token(self):
        """After auth.revoke() nobody is given the revoked token."""
        with Sandbox() as sandbox:
            first, late = self._auths(sandbox)[:2]
            revoked = first.get_token()
            first.revoke()
            assert late.get_token() != revoked

    def test_two_clients_never_share(self):
        """Another id, or other scopes: another token."""
        with Sandbox() as sandbox:
            token = sandbox.auth(cache=self.make_cache()).get_token()
            other = sandbox.auth(cache=self.make_cache(), client_id="another-client")
            assert refused_token(other).status == 401
            scoped = sandbox.auth(cache=self.make_cache(), scopes="ts.mec.limitaccess")
            assert scoped.get_token().value != token.value

    def test_a_failing_endpoint_is_told_and_holds_no_lock(self):
        """The error of the fetch reaches the caller as it is, and the next client tries at once."""
        with Sandbox() as sandbox:
            first, second = self._auths(sandbox)[:2]
            sandbox.fail_next("token", status=400, body={"error": "invalid_scope"})
            assert refused_token(first).code == "invalid_scope"
            assert second.get_token().value
