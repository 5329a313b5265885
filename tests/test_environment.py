"""Where ThingSpace is, and which URLs may see a token."""

import pytest

from requests_thingspace import PRODUCTION, STAGING, Environment

HOST = "thingspace.verizon.com"
TOKEN_PATH = "/api/ts/v1/oauth2/token"
LOGIN_PATH = "/api/m2m/v1/session/login"

REST = ["", "/", "/api/m2m/v1/accounts/1?x=@y#z", "?x", "#x", ":443/api", ":00443/api"]
REST += ["//evil.example/", "/\\@evil.example/"]
OTHERS = ["HTTPS://ThingSpace.Verizon.COM/api", "https://imp.thingspace.verizon.com/api/v2/mapdata"]
OTHERS += ["https://5gedge.verizon.com/api/mec/services"]
COVERED = [f"https://{HOST}{rest}" for rest in REST] + OTHERS

SCHEMES = ["", "//", "http://", "ftp://", "httpss://", "xhttps://", "\u017fhttps://", "http\u017f://"]
SCHEMES += [" https://", "https:/", "https:", "https:///", "https:\\\\", "https://u@", "https://u:password@"]
ENDS = [".", ":", ":80", ":8443", ":0", ":99999", ":000443", ":+443", ":\uff14\uff14\uff13", ":443x"]
ENDS += [".evil.example", "evil.example", "@evil.example", ":443@evil.example", "%2f@evil.example"]
ENDS += ["\\@evil.example", "\\.evil.example", "\n.evil.example", "\n", "\t", " ", "\0", ";x"]
HOSTS = ["www.verizon.com", "verizon.com", "staging.thingspace.verizon.com", "evil-thingspace.verizon.com"]
HOSTS += ["evil.example/thingspace.verizon.com", "evil.example/?https://thingspace.verizon.com", "2130706433"]
HOSTS += ["thingspace%2everizon.com", "thing\nspace.verizon.com", "thing\u017fpace.verizon.com"]
HOSTS += ["thingspace\u3002verizon.com", "thingsp\u0430ce.verizon.com", "[thingspace.verizon.com]"]
HOSTS += [f"evil.example{TOKEN_PATH}", f"{HOST}@x{TOKEN_PATH}"]
NOT_COVERED = ["", "/api", HOST, f"http://{HOST}:443/", *[f"{scheme}{HOST}/" for scheme in SCHEMES]]
NOT_COVERED += [f"https://{HOST}{end}/" for end in ENDS] + [f"https://{host}/" for host in HOSTS]


def like(environment, **changes):
    fields = {name: getattr(environment, name) for name in Environment.__match_args__}
    fields["imp_origins"] = () if "origins" in changes else environment.imp_origins
    return Environment(**{**fields, **changes})


@pytest.mark.parametrize("url", [*COVERED, *NOT_COVERED])
def test_covers_its_own_origins_and_nothing_else(url):
    """Upper case and the default port are the same origin; what can be read in two ways is none."""
    assert PRODUCTION.covers(url) == (url in COVERED)
    assert (PRODUCTION.session_header_for(url) is not None) == (url in COVERED)


@pytest.mark.parametrize(("environment", "other"), [(PRODUCTION, STAGING), (STAGING, PRODUCTION)])
def test_the_session_header_depends_on_the_origin(environment, other):
    """Verizon's SDK: the imp. server calls it SessionToken, others VZ-M2M-Token; no token goes to staging."""
    (imp,) = environment.imp_origins
    for origin in (*environment.origins, f"{imp.upper()}:443"):
        header = "SessionToken" if origin.lower().startswith(imp) else "VZ-M2M-Token"
        assert environment.session_header_for(f"{origin}/api") == header
    assert not any(other.covers(origin) for origin in environment.origins)
    assert environment.covers(environment.token_url)


NEIGHBOURS = {
    "https://localhost:8443": "https://localhost:8444/",
    "https://[::1]:8443": "https://[::1]/",
    "http://localhost:8080": "https://localhost:8080/",
    "http://127.0.0.1": "http://127.0.0.1:8080/",
    "http://[::1]": "http://[::2]/",
    "https://bank.example": "https://ban\u212a.example/",  # the Kelvin sign is a k in lower case
}


@pytest.mark.parametrize("origin", NEIGHBOURS)
def test_at_covers_one_origin(origin):
    """A ThingSpace on one origin, plain http on loopback included, and not its neighbours."""
    environment = Environment.at(origin)
    assert environment.origins == (origin,)
    assert repr(environment) == f"Environment({origin})"
    assert environment.covers(f"{origin}/api")
    assert not environment.covers(NEIGHBOURS[origin])
    assert (environment.token_url, environment.login_url) == (origin + TOKEN_PATH, origin + LOGIN_PATH)


def test_takes_any_collection_of_origins_in_any_spelling():
    """It keeps a tuple of one form, which nobody can change."""
    given = ["https://LOCALHOST:443", "https://localhost/", "https://localhost:443", "https://localhost"]
    assert len({Environment.at(origin) for origin in given}) == 1
    origins = ["https://localhost", "https://localhost:8443"]
    environment = like(PRODUCTION, origins=origins)
    origins.append("https://evil.example")
    assert environment.origins == ("https://localhost", "https://localhost:8443")
    assert not environment.covers("https://evil.example/")


NO_ORIGINS = ["", "localhost", "https://", "https://localhost/api", "https://localhost?x"]
NO_ORIGINS += ["https://user@localhost", "https://localhost:x", "https://localhost:70000"]
NO_ORIGINS += ["https://local host", "ftp://localhost", "file:///etc/passwd", "https://localhost."]
NO_LOOPBACK = ["localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1", HOST]
NO_ENDPOINTS = ["", "/oauth2/token", f"https://user:word@{HOST}/"]
# a string is a collection of letters, which nobody means, and without an origin no call would have a token
WRONG = [({"origins": [origin]}, "is not an origin") for origin in NO_ORIGINS]
WRONG += [({"origins": [f"http://{host}"]}, "is plain http") for host in NO_LOOPBACK]
WRONG += [({name: "https://localhost"}, "collection") for name in ("origins", "imp_origins")]
WRONG += [({"origins": ()}, "at least one")]
for name in ("token_url", "revoke_url", "login_url", "logout_url"):
    WRONG += [({name: url}, "is not the URL of an endpoint") for url in NO_ENDPOINTS]
    WRONG += [({name: f"http://{HOST}/"}, "is plain http")]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_refuses_what_would_tell_a_secret(changes, message):
    """Tokens are sent over https only, except to a loopback origin that is named."""
    with pytest.raises(ValueError, match=message):
        like(PRODUCTION, **changes)


@pytest.mark.parametrize(
    "prefix",
    [
        *PRODUCTION.origins,
        "https://THINGSPACE.verizon.com:443",
        f"https://{HOST}/",
        "https://5gedge.verizon.com//",
    ],
)
def test_leaves_its_own_endpoints_alone(prefix):
    """Verizon's SDK sends its own Basic header there; the logout and a longer path want tokens.

    requests sends one slash where a path begins with more.
    """
    odd = like(PRODUCTION, token_url=f"https://ThingSpace.Verizon.com:443{TOKEN_PATH}")
    for path in (TOKEN_PATH, "/api/ts/v1/oauth2/revoke", LOGIN_PATH):
        for tail in ("", "?grant_type=client_credentials", "#x"):
            assert PRODUCTION.session_header_for(prefix + path + tail) is None
            assert odd.session_header_for(prefix + path + tail) is None
        for tail in ("s", "/", "/again"):
            assert PRODUCTION.session_header_for(prefix + path + tail) is not None
    assert PRODUCTION.session_header_for(f"{prefix}/api/m2m/v1/session/logout") is not None


UNCLEAR = [
    ({"origins": None}, "origins must be a collection of origins, not None"),
    ({"origins": [None]}, "None is not an origin"),
    ({"imp_origins": ["https://imp.typo"]}, "imp_origins must be some of origins"),
    ({"token_url": None}, "None is not the URL of an endpoint"),
    ({"login_url": f"https://{HOST}"}, "is not the URL of an endpoint"),
]


@pytest.mark.parametrize(("changes", "message"), UNCLEAR)
def test_refuses_what_cannot_be_meant(changes, message):
    """An unset variable, a misspelled origin, and an endpoint without a path."""
    with pytest.raises(ValueError, match=message):
        like(PRODUCTION, **changes)
    with pytest.raises(ValueError, match="None is not an origin"):
        Environment.at(None)
