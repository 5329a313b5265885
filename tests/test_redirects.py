"""No token follows a redirect to another origin, whatever came before it and however it is spelled."""

import contextlib
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from requests_thingspace import Environment, ThingspaceAuth

from .catalogue import EXPIRED, both_cas
from .hostile import GOOD_SESSION_TOKEN, HostileServer, json_answer, redirect

TOKEN_HEADERS = {"authorization", "vz-m2m-token", "sessiontoken"}
REFUSALS = {"none": (0, 0), "bearer": (1, 0), "session": (0, 1), "both": (1, 1)}

LEADS_AWAY = ["https://{there}", "HTTPS://{there}", "//{there}", "/\t/{there}", "\t//{there}", "/\\{there}"]
LEADS_AWAY += ["\\\\{there}", "\\/{there}", "https:/\\{there}", "https:\\\\{there}", "ht\ttps://{there}"]
LEADS_AWAY += ["https:///{there}", "x:///{there}", "{there}", "///{there}", "/..//{there}", "/.//{there}"]
LEADS_AWAY += [f"https://{{here}}{odd}@{{there}}" for odd in ("", ":x", "\\", "#", "?", "\t", "/\\..\\..\\")]
LEADS_AWAY += ["/%09/{there}", "/%5c{there}", "//{here}@{there}", "http:///{there}", "http://{there}"]
"""Texts that lead another origin's way for one reader or another: {here} is ours, {there} is not."""


@pytest.fixture
def elsewhere():
    with HostileServer() as server:
        server.script("/x", json_answer(401, {}))  # which speaks of no token of ours
        yield server


@pytest.fixture
def session(sandbox, warm, elsewhere):
    """A Session with both tokens that trusts the sandbox and `elsewhere`."""
    session, _ = warm()
    session.verify = both_cas(sandbox, elsewhere)
    return session


def lead(sandbox, location, *, refused="none", status=302):
    """Let the next call be refused for the tokens that `refused` names, then answered with a redirect."""
    bearer, session = REFUSALS[refused]
    if bearer:
        sandbox.revoke_tokens()
        sandbox.fail_next("api", status=401)
    if session:
        sandbox.fail_next("api", status=400, body=EXPIRED)
    sandbox.fail_next("api", status=status, headers={"Location": location}, body="moved")


def tokens_on(request):
    return {name.lower() for name in request.headers} & TOKEN_HEADERS


@pytest.mark.parametrize("refused", REFUSALS)
def test_no_token_leaves_with_a_redirect(sandbox, session, account, elsewhere, spent, refused):
    """Whatever its status; the response of a replay is looked at as closely as any other."""
    for number, status in enumerate((301, 302, 303, 307, 308), 1):
        lead(sandbox, f"{elsewhere.origin}/x", refused=refused, status=status)
        assert session.get(account).status_code == 401
        assert spent() == tuple(1 + number * renewed for renewed in REFUSALS[refused])
        sandbox.advance(61)  # a token that was just replaced is not tested again before
    assert [tokens_on(request) for request in elsewhere.requests] == [set()] * 5


def test_no_spelling_takes_a_token_along(sandbox, session, account, elsewhere):
    """Whatever requests makes of the text: when it follows, and when a script sends `Response.next`."""
    here, there = urlsplit(sandbox.origin).netloc, urlsplit(elsewhere.origin).netloc
    for spelling in LEADS_AWAY:
        for follow, refused in ((True, "bearer"), (False, "none")):
            lead(sandbox, spelling.format(here=here, there=there) + "/x", refused=refused)
            with contextlib.suppress(requests.RequestException):
                answer = session.get(account, allow_redirects=follow)
                last = answer.request if follow else answer.next
                assert urlsplit(last.url).netloc == here or not tokens_on(last), spelling
                session.send(last)
        sandbox.advance(61)  # a token that was just replaced is not tested again before
    assert elsewhere.requests
    assert not [request for request in elsewhere.requests if tokens_on(request)]


def test_a_chain_of_covered_origins_leaks_nothing_at_its_end(sandbox, session, account, elsewhere):
    """From the main origin to ``imp.``, where both are refused and a header has another name, then away."""
    lead(sandbox, f"{sandbox.imp_origin}/sandbox/echo")
    lead(sandbox, f"{sandbox.edge_origin}/sandbox/echo", refused="both")
    lead(sandbox, f"{elsewhere.origin}/x")
    assert session.get(account).url == f"{elsewhere.origin}/x"
    assert [tokens_on(request) for request in elsewhere.requests] == [set()]


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_redirect_on_its_own_origin_keeps_both(sandbox, session, account, spent, refused):
    """The guard costs no good redirect its tokens, and nothing more is spent on it."""
    for location, status in (("/sandbox/echo", 302), (f"{sandbox.origin}/sandbox/echo", 308)):
        lead(sandbox, location, status=status, refused=refused if status == 302 else "none")
        assert {"authorization", "vz-m2m-token"} <= set(session.get(account).json()["headers"])
    assert spent() == tuple(1 + renewed for renewed in REFUSALS[refused])


def test_another_covered_origin_gets_tokens_under_its_own_names(sandbox, session, account):
    """After a redirect to ``imp.`` the old name of the session header is not there any more."""
    for origin, header in ((sandbox.imp_origin, "sessiontoken"), (sandbox.edge_origin, "vz-m2m-token")):
        lead(sandbox, f"{origin}/sandbox/echo")
        arrived = session.get(account).json()["headers"]
        assert TOKEN_HEADERS & set(arrived) == {"authorization", header}


class FromPort80(HTTPAdapter):
    """Fetches from another server what is asked of http://localhost, whose port only root may have."""

    def __init__(self, origin):
        self.origin = origin
        super().__init__()

    def send(self, request, **kwargs):
        sent = request.copy()
        sent.url = request.url.replace("http://localhost", self.origin)
        response = super().send(sent, **kwargs)
        response.request, response.url = request, request.url
        return response


def test_no_bearer_follows_from_http_to_https(elsewhere):
    """requests lets ``Authorization`` do so on one host: it is another origin all the same."""
    elsewhere.script("/moved", redirect(302, "https://localhost/x"))
    session = requests.Session()
    session.verify, session.trust_env = elsewhere.ca_file, False
    session.mount("http://localhost/", FromPort80(elsewhere.origin))
    tokens = {"token": {"access_token": "a-bearer"}, "session_token": GOOD_SESSION_TOKEN}
    session.auth = ThingspaceAuth("id", "secret", **tokens, environment=Environment.at("http://localhost"))
    answer = session.get("http://localhost/moved", allow_redirects=False)
    assert tokens_on(elsewhere.requests[-1]) == {"authorization", "vz-m2m-token"}
    assert answer.next.url == "https://localhost/x"
    assert tokens_on(answer.next) == set()
