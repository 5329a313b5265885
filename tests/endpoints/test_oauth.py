"""ThingSpace's OAuth endpoints: what is sent, what becomes of the answer, and what nobody may log."""

import base64
import logging

import pytest

from requests_thingspace import OAuthToken, TokenRequestError

from .. import hostile as do
from ..catalogue import BASIC, SECRETS, error_of, told_by
from ..clocks import FakeClock
from ..hostile import GOOD_TOKEN_DOCUMENT, TOKEN_PATH

REVOKE_PATH = "/api/ts/v1/oauth2/revoke"
WELL = do.json_answer(200, GOOD_TOKEN_DOCUMENT)
TOKEN = OAuthToken(do.GOOD_TOKEN)


def test_the_token_request_is_as_documented(server, new_auth):
    """Basic auth, a form with the grant and nothing else ("Get Credentials" page)."""
    server.script(TOKEN_PATH, WELL)
    new_auth().get_token()
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", TOKEN_PATH)
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["Authorization"] == f"Basic {BASIC}"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "identity"


def test_scopes_are_asked_for_in_one_field(server, new_auth):
    """Space-delimited (RFC 6749 section 3.3); what is granted is recorded, of which oauthlib would warn."""
    server.script(TOKEN_PATH, do.json_answer(200, {**GOOD_TOKEN_DOCUMENT, "scope": " ts.ro ts.full"}))
    token = new_auth(scopes=("ts.application.ro", "ts.mec.fullaccess")).get_token()
    (request,) = server.requests
    assert request.body == b"grant_type=client_credentials&scope=ts.application.ro+ts.mec.fullaccess"
    assert token.scope == ("ts.ro", "ts.full")


@pytest.mark.parametrize("status", [200, 204])
def test_the_revocation_is_as_documented(status, server, new_auth):
    """Verizon's form has the grant in it as well; any 2xx is a yes, with or without a body."""
    server.script(REVOKE_PATH, do.answer(status, framing="none" if status == 204 else "length"))
    new_auth(token=OAuthToken("t+/=")).revoke()
    (request,) = server.requests
    assert request.body == b"grant_type=client_credentials&token=t%2B%2F%3D"
    assert request.headers["Authorization"] == f"Basic {BASIC}"


@pytest.mark.parametrize(("client_id", "secret"), [("schlüssel", "pässwörd-€"), ("id", "a:b:c")])
def test_credentials_are_sent_as_utf8(client_id, secret, server, new_auth, log_without_secrets):
    """RFC 7617 section 2.1; a colon in the secret is no trouble."""
    log_without_secrets.add(secret)
    server.script(TOKEN_PATH, WELL)
    new_auth(client_id=client_id, client_secret=secret).get_token()
    sent = server.requests[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"{client_id}:{secret}"


@pytest.mark.parametrize("stated", [{}, {"expires_at": 4e9}, {"expiry": 4e9}, {"expires_at": "soon"}])
def test_the_expiry_counts_from_the_sending(stated, server, new_auth):
    """Of the call that was answered; a moment that the server names is one of its own clock."""
    hands = FakeClock(wall=1000.0)

    def late(answer):
        return lambda *asked: hands.advance(500.0) or answer(*asked)

    good = do.json_answer(200, {**GOOD_TOKEN_DOCUMENT, **stated})
    server.script(TOKEN_PATH, late(do.json_fault(503)), late(good))
    assert new_auth(clock=hands.clock).get_token().expires_at == 1500.0 + 3600


REFUSALS = [
    (do.json_fault(401), 401, "900901", "Invalid Credentials.*Check client_id and client_secret"),
    (do.json_fault(400, "900906", "No matching resource"), 400, "900906", "Check the scopes"),
    (do.xml_fault(403), 403, "404", "belong to this environment"),
    (do.json_answer(400, {"error": "invalid_scope"}), 400, "invalid_scope", "invalid_scope"),
    (do.html_answer(404), 404, None, "Check the environment's token_url"),
    (do.redirect(302, "another host"), 302, None, "not followed"),
]


@pytest.mark.parametrize(("behaviour", "status", "code", "words"), REFUSALS)
def test_a_refusal_says_what_thingspace_said(behaviour, status, code, words, server, new_auth):
    """Through oauthlib all of these would be "missing access token"."""
    server.script(TOKEN_PATH, behaviour)
    server.script(REVOKE_PATH, behaviour)
    for call, said in ((new_auth().get_token, words), (new_auth(token=TOKEN).revoke, "revocation")):
        with pytest.raises(TokenRequestError, match=said) as caught:
            call()
        assert (caught.value.status, caught.value.code) == (status, code)


def test_an_echo_of_a_revocation_stays_here(server, new_auth):
    """Neither the secret nor the token gets into a message; the log is watched too."""
    for place in ("body", "reason", "status line", "chunk size", "location"):
        server.script(REVOKE_PATH, do.echo(place, 401))
        told = told_by(error_of(new_auth(token=TOKEN).revoke))
        assert not [secret for secret in SECRETS if secret in told]


def test_requests_oauthlib_says_nothing_of_our_stand_ins(server, new_auth, caplog):
    """What it logs at DEBUG would be untrue; it stays as talkative for its other users."""
    server.script(TOKEN_PATH, WELL)
    new_auth().get_token()
    assert not [record for record in caplog.records if record.name.startswith("requests_oauthlib")]
    logging.getLogger("requests_oauthlib.oauth2_session").debug("of somebody else")
    assert "of somebody else" in caplog.text
