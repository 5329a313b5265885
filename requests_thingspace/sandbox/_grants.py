"""What ThingSpace grants: OAuth tokens to a client, and M2M sessions to a user.

There is one token per client and set of scopes: the same one, with the life that is left, until it expires.
"The token will be valid for one hour from when it was first issued, and any further token requests during
that hour will return the same token"; after a revocation "the next token request will return a new token"
(https://thingspace.verizon.com/documentation/apis/device-diagnostics/getting-started/get-credentials.html).

A session lives while it is used: each accepted use gives it its idle time again.
"A session token will remain valid as long as your application continues to use it, but it will expire after
20 minutes of inactivity"; "The ThingSpace Platform will lock a contact record after 5 consecutive failed log
in attempts"
(https://thingspace.verizon.com/resources/documentation/connectivity/API_Reference/Start_Connectivity_Management_Session/).
Several sessions of one contact live side by side; whether they do on ThingSpace is not documented.
"""

from __future__ import annotations

import math
import secrets
import uuid
from base64 import b64decode
from urllib.parse import parse_qsl

from ._messages import Answer, Request, gateway_fault, json_answer, m2m_refusal, oauth_refusal
from ._state import MOST_FAILED_LOGINS, State

FULL_ACCESS = ("ts.application.ro", "ts.mec.fullaccess")
"""What a request without a scope is granted (5G Edge, "Getting Started")."""

SCOPES = {*FULL_ACCESS, "ts.mec.limitaccess", "read", "write", "discovery:read", "edge:discovery:read"} | {
    f"{kind}:{access}"
    for kind in ("serviceprofile", "serviceregistry", "edge:serviceprofile", "edge:serviceregistry")
    for access in ("read", "write")
}
"""All that Verizon's SDK 1.7.0 lists (``OauthScopeThingspaceOauthEnum``)."""


def token(request: Request, state: State) -> Answer:
    """``POST /api/ts/v1/oauth2/token``: the fields of Verizon's sample, and its scope's leading space.

    What ThingSpace says to an unknown scope, Verizon does not document. A token with less than one second
    left is not given out again: ``expires_in`` is never 0.
    """
    client_id, form = _client_and_form(request, state)
    grant = form.get("grant_type")
    if grant != "client_credentials":
        error = "unsupported_grant_type" if grant else "invalid_request"
        raise oauth_refusal(error, "The grant_type is client_credentials.")
    scopes = form.get("scope", "").split() or FULL_ACCESS
    if not SCOPES.issuperset(scopes):
        raise oauth_refusal("invalid_scope", "ThingSpace does not know this scope.")
    key = client_id, frozenset(scopes)
    token = state.tokens.get(key, "")
    left = seconds_left(token, state)
    if left < 1:
        token, left = secrets.token_hex(16), state.token_life
        state.tokens[key], state.issued_at[token] = token, state.now()
    scope = f" {' '.join(scopes)}"
    told = {"access_token": token, "scope": scope, "token_type": "Bearer", "expires_in": int(left)}
    return json_answer(told, headers={"Cache-Control": "no-store"})


def revoke(request: Request, state: State) -> Answer:
    """``POST /api/ts/v1/oauth2/revoke``: "there is no response body".

    Verizon says that a header holds the revoked token, but not which, so the sandbox sends none. An
    unknown token is no error (RFC 7009 section 2.2).
    """
    _, form = _client_and_form(request, state)
    if not form.get("token"):
        raise oauth_refusal("invalid_request", "The token is missing.")
    state.issued_at.pop(form["token"], None)
    return Answer(200)


def seconds_left(access_token: str, state: State) -> float:
    """The life of a token that is left: none if it was never issued, or was revoked."""
    return state.token_life - (state.now() - state.issued_at.get(access_token, -math.inf))


def login(request: Request, state: State) -> Answer:
    """``POST /api/m2m/v1/session/login``: a new session token.

    Only failures with the known username count: another has no record here that could be locked.
    """
    given = request.json()
    username, password = given.get("username"), given.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise m2m_refusal("The body holds username and password, both strings.")
    known = state.lenient or username == state.username
    if known and state.failed_logins >= MOST_FAILED_LOGINS:
        raise m2m_refusal("The contact is locked. Ask Verizon Support.", "REQUEST_FAILED.LoginLocked")
    if not (known and (state.lenient or password == state.password)):
        state.failed_logins += known
        raise m2m_refusal("The username or the password is wrong.", "REQUEST_FAILED.LoginFailed")
    state.failed_logins = 0
    session_token = str(uuid.uuid4())
    state.last_use[session_token] = state.now()
    return json_answer({"sessionToken": session_token})


def logout(request: Request, state: State) -> Answer:
    """``POST /api/m2m/v1/session/logout``: end this session."""
    session_token = request.headers.get("VZ-M2M-Token", "")
    use_session(session_token, state)
    state.last_use[session_token] = -math.inf
    return json_answer({"sessionToken": session_token})


def use_session(session_token: str, state: State) -> None:
    """Let one call with this session token in, and renew its idle time."""
    if not session_token:
        hint = "Give ThingspaceAuth username= and password=: sandbox.username and sandbox.password."
        message = f"The session token is missing from the header. {hint}"
        raise m2m_refusal(message, "REQUEST_FAILED.SessionToken.Format")
    if session_token not in state.last_use:
        raise m2m_refusal("No session has this session token.", "INPUT_INVALID.SessionToken.Invalid")
    now = state.now()
    if now - state.last_use[session_token] >= state.session_idle:
        raise m2m_refusal("The session has expired. Log in again.", "REQUEST_FAILED.SessionToken.Expired")
    state.last_use[session_token] = now


def _client_and_form(request: Request, state: State) -> tuple[str, dict[str, str]]:
    """The key of a client that proves itself by HTTP Basic (RFC 6749 section 2.3.1), and the body's form."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise gateway_fault("900902", scheme="Basic")
    try:
        given = b64decode(encoded, validate=True)
    except ValueError:
        raise oauth_refusal("invalid_client") from None
    client_id, colon, _ = given.partition(b":")
    if given != f"{state.client_id}:{state.client_secret}".encode() and not (state.lenient and colon):
        raise oauth_refusal("invalid_client")
    return client_id.decode("utf-8", "replace"), dict(parse_qsl(request.body.decode("utf-8", "replace")))
