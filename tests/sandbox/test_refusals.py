"""What is refused, before anything is done: with Verizon's status, code and words where it documents them."""

from base64 import b64encode
from functools import partial
from itertools import product

import pytest

from .conftest import Client, refusal

TOKEN, REVOKE = "POST /api/ts/v1/oauth2/token", "POST /api/ts/v1/oauth2/revoke"
LOGIN, LOGOUT = "POST /api/m2m/v1/session/login", "POST /api/m2m/v1/session/logout"
ACCOUNT, DEVICES = "GET /api/m2m/v1/accounts/0000123456-00001", "POST /api/m2m/v1/devices/actions/list"
EDGE, IMP = "edge GET /api/mec/eds/serviceendpoints", "imp POST /api/v2/clients/registration"
AIDS = [f"GET /sandbox/{aid}" for aid in ("echo", "redirect?to=/", "bytes?n=1", "status/200")]

WRONG_CLIENT = 401, "invalid_client", "Client Authentication failed."
NO_BASIC = 401, "900902", '"Authorization: Basic ACCESS_TOKEN"'
BAD_FORM = 400, "invalid_request", ""
BAD_GRANT = 400, "unsupported_grant_type", ""
BAD_SCOPE = 400, "invalid_scope", ""
NO_BEARER = 401, "900902", '"Authorization: Bearer ACCESS_TOKEN"'
BAD_BEARER = 401, "900901", "Make sure you have given the correct access token"
NO_SESSION = (
    400,
    "REQUEST_FAILED.SessionToken.Format",
    "Give ThingspaceAuth username= and password=: sandbox.username",
)
BAD_SESSION = 400, "INPUT_INVALID.SessionToken.Invalid", ""
BAD_LOGIN = 400, "REQUEST_FAILED.LoginFailed", ""
BAD_BODY = 400, "INPUT_INVALID.Request.Invalid", ""
NO_ACCOUNT = 400, "REQUEST_FAILED.AccountNotFound", ""
NOT_HERE = 400, "900906", "No matching resource found in the API for the given request"


def no_place(api):
    return 400, "900906", f"Access failure for API: {api}"


def basic(key, secret):
    return {"Authorization": f"Basic {b64encode(f'{key}:{secret}'.encode()).decode()}"}


def known(client):
    return basic(client.sandbox.client_id, client.sandbox.client_secret)


def known_with_another_secret(client):
    return basic(client.sandbox.client_id, "other")


def known_session(value):
    return lambda client: {**client.bearer(), "VZ-M2M-Token": value}


bearer, both, both_for_imp = Client.bearer, Client.both, partial(Client.both, header="SessionToken")
nobody, wrong = {}, {"Authorization": "Bearer wrong"}

REFUSALS = [  # the refusal, the calls, who makes them, and with which bodies
    (WRONG_CLIENT, [TOKEN, REVOKE], basic("other", "the-client-secret"), [b""]),
    (WRONG_CLIENT, [TOKEN, REVOKE], known_with_another_secret, [b""]),
    (WRONG_CLIENT, [TOKEN, REVOKE], {"Authorization": "Basic !!!"}, [b""]),
    (NO_BASIC, [TOKEN, REVOKE], wrong, [b""]),
    (NO_BASIC, [TOKEN, REVOKE], nobody, [b""]),
    (BAD_FORM, [TOKEN], known, [b"", b"\xff\xfe", b"{}", b"grant_type="]),
    (BAD_FORM, [f"{TOKEN}?grant_type=client_credentials&x=%zz", REVOKE], known, [b""]),
    (BAD_GRANT, [TOKEN], known, [b"grant_type=password", b"grant_type=%"]),
    (BAD_SCOPE, [TOKEN], known, [b"grant_type=client_credentials&scope=unheard.of"]),
    # The gateway looks at the bearer before the platform sees anything
    (NO_BEARER, [LOGIN, LOGOUT, ACCOUNT, EDGE, IMP, *AIDS], nobody, [b"{}"]),
    (BAD_BEARER, [LOGIN, LOGOUT, ACCOUNT, EDGE, IMP, *AIDS], wrong, [b"{}"]),
    (BAD_BODY, [LOGIN], bearer, [b"", b"[]", b"{", b'{"username": 1}', b"[" * 100_000]),
    (BAD_LOGIN, [LOGIN], bearer, [b'{"username": "\\ud800", "password": "\\ud800"}']),
    # The session's header has another name on imp.
    (NO_SESSION, [LOGOUT, ACCOUNT, DEVICES, IMP], bearer, [b"{}"]),
    (NO_SESSION, [IMP], both, [b"{}"]),
    (BAD_SESSION, [ACCOUNT], known_session("no-guid"), [b""]),
    (BAD_SESSION, [ACCOUNT], known_session("00000000-0000-0000-0000-000000000007"), [b""]),
    # What makes no sense, or is not there
    (BAD_BODY, [IMP], both_for_imp, [b"[]"]),
    (BAD_BODY, [DEVICES], both, [b"[]", b'"x"', b'{"largestDeviceIdSeen": null}']),
    (
        BAD_BODY,
        [DEVICES],
        both,
        [b'{"maxNumberOfDevices": %b}' % value for value in (b"0", b"2001", b'"many"')],
    ),
    (NO_ACCOUNT, [DEVICES], both, [b'{"accountName": "other"}', b'{"accountName": ["x"]}']),
    (NO_ACCOUNT, ["GET /api/m2m/v1/accounts/TestAccount-9"], both, [b""]),
    (
        no_place("/m2m/v1, version: v1"),
        ["GET /api/m2m/v1/nothing", "GET /api/m2m/v1/session/login"],
        both,
        [b""],
    ),
    (no_place("/m2m/v2, version: v2"), ["GET /api/m2m/v2/session/token"], both, [b""]),
    (no_place("/, version: v1"), ["GET /"], both, [b""]),
    (NOT_HERE, [EDGE.removeprefix("edge ")], both, [b""]),
    (no_place("/m2m/v1"), [f"edge {ACCOUNT}"], both, [b""]),
    (no_place("/ts/v1"), [f"imp {TOKEN}"], known, [b"grant_type=client_credentials"]),
]


@pytest.mark.parametrize(("refused", "calls", "who", "bodies"), REFUSALS)
def test_a_refusal_is_that_of_thingspace(client, sandbox, refused, calls, who, bodies):
    """A wrong client, bearer, session or body; a resource is on its own origin only."""
    status, code, words = refused
    for call, body in product(calls, bodies):
        *place, method, path = call.split()
        url = getattr(sandbox, "_".join([*place, "origin"])) + path
        answer = client.http.request(method, url, headers=who(client) if callable(who) else who, data=body)
        assert (call, *refusal(answer)) == (call, status, code)
        assert words in answer.text.replace('\\"', '"')
