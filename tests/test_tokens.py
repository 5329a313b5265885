"""A token is a value: what it reads, what it refuses, when it expires, and what it never shows."""

import copy
import json
import math
import pickle
from types import SimpleNamespace

import pytest

from requests_thingspace import InvalidTokenError, OAuthToken, SessionToken
from requests_thingspace._tokens import LONGEST_LIFE, lifetime_from

NOW = 1_700_000_000.0
SECRET = "s3cret-0123456789abcdef"
WIRE = {"access_token": SECRET, "scope": " ts.ro ts.full", "token_type": "Bearer", "expires_in": 3600}

UNSENDABLE = ["\r\nX-Injected: yes", "\n", "\0", "\x7f", " x", "\t", "é", "\ud800"]  # in a header
UNUSABLE = [None, "", 7, True, {}, [SECRET], SECRET.encode(), *[SECRET + odd for odd in UNSENDABLE]]


SDK = SimpleNamespace(access_token=SECRET, token_type="Bearer", expires_in=3600, expiry=NOW + 20)
FORMS = {
    "the endpoint's answer": (WIRE, (SECRET, "Bearer", NOW + 3600, ("ts.ro", "ts.full"))),
    "requests-oauthlib": ({**WIRE, "expires_at": NOW, "scope": ["a"]}, (SECRET, "Bearer", NOW, ("a",))),
    "Verizon's SDK": (SDK, (SECRET, "Bearer", NOW + 20)),
    "without an expiry": (SimpleNamespace(access_token=SECRET), (SECRET,)),
    "itself": (OAuthToken(SECRET), (SECRET,)),
}


@pytest.mark.parametrize("form", FORMS)
def test_reads_a_token_in_any_form(form):
    """An expiry counts from the sending of the request; a kept one wins over an old `expires_in`."""
    given, read = FORMS[form]
    assert OAuthToken.from_dict(given, now=NOW) == OAuthToken(*read)


EXPIRES_AT = [(str(NOW), NOW), (int(NOW), NOW), (0, 0.0), (-1, -1.0)]
EXPIRES_AT += [(stored, None) for stored in ("soon", math.nan, math.inf, True, [], 10**400, {"at": 1})]
SCOPES = [("a b", ("a", "b")), ("  ", ()), (["a", "b"], ("a", "b")), ({"a"}, ("a",)), (None, ()), (7, ())]
SCOPES += [(b"a b", ()), ({"a": True}, ()), ([None, "a", 7], ("a",))]
STORED = [("expires_at", *case) for case in EXPIRES_AT] + [("scope", *case) for case in SCOPES]


@pytest.mark.parametrize(("field", "stored", "read"), STORED)
def test_an_odd_field_never_costs_the_token(field, stored, read):
    """An expiry is any number, or not known, whatever an old expires_in says; odd scopes are left out."""
    assert getattr(OAuthToken.from_dict({**WIRE, field: stored}, now=NOW), field) == read


@pytest.mark.parametrize("value", UNUSABLE, ids=ascii)
def test_refuses_what_cannot_be_a_header(value):
    """A token is a non-empty string of visible ASCII, and the refusal does not show it."""
    for make in (OAuthToken, SessionToken):
        with pytest.raises(InvalidTokenError) as caught:
            make(value)
        assert SECRET not in repr(caught.value)
    with pytest.raises(InvalidTokenError):
        OAuthToken.from_dict({**WIRE, "access_token": value})
    with pytest.raises(InvalidTokenError):
        SessionToken.from_dict({"sessionToken": value})


def test_only_a_bearer_is_a_token():
    """In any case; missing and null read as Bearer; a refusal names a type and shows nothing of the token."""
    for kind in (None, "Bearer", "bearer", "BEARER"):
        assert OAuthToken.from_dict({**WIRE, "token_type": kind}).token_type.lower() == "bearer"
    assert OAuthToken.from_dict({"access_token": SECRET}).token_type == "Bearer"
    kinds, none = ("mac", "", "Bearer ", 7, {}, SECRET), (None, 7, SECRET, ("access_token", SECRET), object())
    refused = [({**WIRE, "token_type": kind}, "bearer") for kind in kinds]
    refused += [(source, f"a {type(source).__name__} is not a token") for source in none]
    for source, words in refused:
        with pytest.raises(InvalidTokenError, match=words) as caught:
            OAuthToken.from_dict(source)
        assert SECRET not in str(caught.value)


def test_reads_a_session():
    """The login's answer, a stored dict, and the bare token; nothing else."""
    for source in ({"sessionToken": SECRET}, {"session_token": SECRET}, SECRET, SessionToken(SECRET)):
        session = SessionToken.from_dict(source)
        assert session == SessionToken(SECRET)
        assert SessionToken.from_dict(json.loads(json.dumps(session.to_dict()))) == session
    for other in (None, 7, {}, {"access_token": SECRET}):
        with pytest.raises(InvalidTokenError):
            SessionToken.from_dict(other)


LIVES = {3600: 3600, 3600.5: 3600.5, "3600": 3600, "3600.0": 3600, "3.6e3": 3600, 1e-9: 1e-9}
LIVES |= dict.fromkeys([1e18, "1e18", 2**63, 10**400, LONGEST_LIFE + 1], LONGEST_LIFE)
LIVES |= dict.fromkeys([None, 0, -5, "-5", -(10**400), (3600,), "soon", "", "0x10", "NaN", math.inf, "-inf"])
CASES = [*LIVES.items(), (LONGEST_LIFE - 1, LONGEST_LIFE - 1)]
CASES += [(given, None) for given in (0.0, True, False, math.nan, [3600], {"seconds": 3600})]


@pytest.mark.parametrize(("expires_in", "life"), CASES)
def test_life_is_read_or_not_known(expires_in, life):
    """Numbers and numeric strings are read, the absurd is capped, the rest is no known expiry."""
    assert lifetime_from(expires_in) == life
    token = OAuthToken.from_dict({**WIRE, "expires_in": expires_in}, now=NOW)
    assert token.expires_at == (None if life is None else NOW + life)
    assert life is not None or not token.is_expired(clock_skew=1e9)


@pytest.mark.parametrize("skew", [0, 60])
def test_expired_on_both_sides_of_the_boundary(skew):
    """From its very moment on, or from the clock skew before it; without `now` the wall clock counts."""
    token = OAuthToken(SECRET, expires_at=NOW)
    assert not token.is_expired(skew, now=NOW - skew - 0.001)
    assert token.is_expired(skew, now=NOW - skew)
    assert token.is_expired(skew, now=NOW + 1)
    assert OAuthToken.from_dict({**WIRE, "expires_in": 60}).is_expired(skew) == (skew == 60)


@pytest.mark.parametrize("token", [OAuthToken(SECRET, "Bearer", NOW, ("ts.ro",)), SessionToken(SECRET)])
def test_tokens_are_values_that_travel(token):
    """Copies and pickles are equal and hash alike, nobody can change one, and only an attribute shows it."""
    assert SECRET not in f"{token} {token!r} {[token]}"
    assert (token.value, token.expires_at) == (SECRET, getattr(token, "expiry", None))  # Verizon's SDK's name
    for twin in (copy.copy(token), copy.deepcopy(token), pickle.loads(pickle.dumps(token))):
        assert (twin, hash(twin)) == (token, hash(token))
    with pytest.raises(AttributeError, match="is immutable"):
        setattr(token, token.__match_args__[0], "another")
    with pytest.raises(AttributeError, match="is immutable"):
        delattr(token, token.__match_args__[0])
