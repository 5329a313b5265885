"""`ThingspaceAuth.from_credentials`: what Verizon's SDKs call credentials, in their spellings and in ours."""

import pytest
from verizon.http.auth.thingspace_oauth import ThingspaceOauthCredentials
from verizon.models.oauth_token import OauthToken

from requests_thingspace import OAuthToken, ThingspaceAuth

SPELLINGS = {
    "verizon's object": lambda given: ThingspaceOauthCredentials(**{f"oauth_{n}": given[n] for n in given}),
    "snake case": lambda given: {f"oauth_{name}": given[name] for name in given},
    "camel case": lambda given: {camel(f"oauth_{name}"): given[name] for name in given},
    "ours": dict,
}


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_credentials_of_an_sdk_are_read(spelling):
    """All six of the seed's row, in the SDK's spellings or ours; None means that it was left out."""
    given = {"client_id": "id", "client_secret": "the-client-secret", "clock_skew": 5}
    given |= {"token_provider": print, "on_token_update": print}
    typescript = {"accessToken": "abc", "tokenType": "Bearer", "expiry": 4102444800}
    for token in (OauthToken("abc", "Bearer", expiry=4102444800), typescript):
        auth = ThingspaceAuth.from_credentials(SPELLINGS[spelling]({**given, "token": token}))
        assert auth.token == OAuthToken("abc", expires_at=4102444800)
        assert {name: getattr(auth, name) for name in given} == given
    left_out = SPELLINGS[spelling]({**given, "clock_skew": None, "token": None})
    auth = ThingspaceAuth.from_credentials(left_out, client_id="other", timeout=5.0)
    assert (auth.client_id, auth.clock_skew, auth.timeout, auth.token) == ("other", 60.0, 5.0, None)


NO_CREDENTIALS = [
    ({"client_id": "id", "client_secret": "the-secret", "colour": "red"}, "colour"),
    ({"client_id": "id"}, "client_secret"),
    ({"oauthClientSecret": "the-secret"}, "client_id"),
    *[(source, type(source).__name__) for source in ("the-secret", None, object(), ["the-secret"])],
]


@pytest.mark.parametrize(("source", "message"), NO_CREDENTIALS)
def test_what_holds_no_credentials_is_refused(source, message):
    """By the name of what is wrong, and without the secret."""
    with pytest.raises(ValueError if isinstance(source, dict) else TypeError, match=message) as caught:
        ThingspaceAuth.from_credentials(source)
    assert "the-" not in str(caught.value)
