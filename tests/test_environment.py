"""Where ThingSpace is, and which URLs may see a token."""

import copy
import pickle

import pytest

from requests_thingspace import PRODUCTION, STAGING, Environment

TOKEN_PATH = "/api/ts/v1/oauth2/token"
LOGIN_PATH = "/api/m2m/v1/session/login"

COVERED = [
    "https://thingspace.verizon.com",
    "https://thingspace.verizon.com/",
    "https://thingspace.verizon.com/api/m2m/v1/accounts/1?x=@y#z",
    "https://thingspace.verizon.com?x",
    "https://thingspace.verizon.com#x",
    "HTTPS://ThingSpace.Verizon.COM/api",
    "https://thingspace.verizon.com:443/api",
    "https://thingspace.verizon.com:00443/api",
    "https://imp.thingspace.verizon.com/api/v2/mapdata",
    "https://5gedge.verizon.com/api/mec/services",
    "https://thingspace.verizon.com//evil.example/",
    "https://thingspace.verizon.com/\\@evil.example/",
]
SCHEMES = ["", "//", "http://", "ftp://", "httpss://", "xhttps://", "\u017fhttps://", "http\u017f://"]
SCHEMES += [" https://", "https:/", "https:", "https:///", "https:\\\\", "https://u@", "https://u:password@"]
ENDS = [".", ":", ":80", ":8443", ":0", ":99999", ":000443", ":+443", ":\uff14\uff14\uff13", ":443x"]
ENDS += [".evil.example", "evil.example", "@evil.example", ":443@evil.example", "%2f@evil.example"]
ENDS += ["\\@evil.example", "\\.evil.example", "\n.evil.example", "\n", "\t", " ", "\0", ";x"]
HOSTS = ["www.verizon.com", "verizon.com", "staging.thingspace.verizon.com", "evil-thingspace.verizon.com"]
HOSTS += ["evil.example/thingspace.verizon.com", "evil.example/?https://thingspace.verizon.com", "2130706433"]
HOSTS += ["thingspace%2everizon.com", "thing\nspace.verizon.com", "thing\u017fpace.verizon.com"]
HOSTS += ["thingspace\u3002verizon.com", "thingsp\u0430ce.verizon.com", "[thingspace.verizon.com]"]
NOT_COVERED = [
    "",
    "/api",
    "thingspace.verizon.com",
    "http://thingspace.verizon.com:443/",
    "https://evil.example/api/ts/v1/oauth2/token",
    "https://thingspace.verizon.com@x/api/ts/v1/oauth2/token",
    *[f"{scheme}thingspace.verizon.com/" for scheme in SCHEMES],
    *[f"https://thingspace.verizon.com{end}/" for end in ENDS],
    *[f"https://{host}/" for host in HOSTS],
]


def like(environment, **changes):
    fields = {name: getattr(environment, name) for name in Environment.__match_args__}
    return Environment(**{**fields, **changes})


@pytest.mark.parametrize("url", COVERED)
def test_covers_its_own_origins_in_every_plain_spelling(url):
    """Upper case and the default port are the same origin."""
    assert PRODUCTION.covers(url)
    assert PRODUCTION.session_header_for(url) is not None


@pytest.mark.parametrize("url", NOT_COVERED)
def test_covers_nothing_else(url):
    """Another scheme, host or port, and all that can be read in two ways."""
    assert not PRODUCTION.covers(url)
    assert PRODUCTION.session_header_for(url) is None


def test_only_ascii_is_the_same_in_lower_case():
    """The Kelvin sign is a k in lower case, but no k of a host name."""
    bank = Environment.at("https://bank.example")
    assert bank.covers("https://BANK.example/")
    assert not bank.covers("https://ban\u212a.example/")


def test_two_environments_have_no_origin_in_common():
    """A production token never goes to staging, nor the other way round."""
    assert not set(PRODUCTION.origins) & set(STAGING.origins)
    assert not any(STAGING.covers(origin) for origin in PRODUCTION.origins)
    assert STAGING.covers(STAGING.token_url)


@pytest.mark.parametrize(
    ("origin", "other_port"),
    [
        ("https://localhost:8443", "https://localhost:8444/"),
        ("https://[::1]:8443", "https://[::1]/"),
        ("http://localhost:8080", "https://localhost:8080/"),
        ("http://127.0.0.1", "http://127.0.0.1:8080/"),
        ("http://[::1]", "http://[::2]/"),
    ],
)
def test_at_covers_one_origin(origin, other_port):
    """A ThingSpace on one origin, plain http on loopback included, and not its neighbours."""
    environment = Environment.at(origin)
    assert environment.origins == (origin,)
    assert repr(environment) == f"Environment({origin})"
    assert environment.covers(f"{origin}/api")
    assert not environment.covers(other_port)
    assert environment.token_url == origin + TOKEN_PATH
    assert environment.login_url == origin + LOGIN_PATH


@pytest.mark.parametrize("given", ["https://LOCALHOST:443", "https://localhost/", "https://localhost:443"])
def test_origins_have_one_form(given):
    """Whatever the spelling, the environment is the same one."""
    assert Environment.at(given) == Environment.at("https://localhost")
    assert hash(Environment.at(given)) == hash(Environment.at("https://localhost"))


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "localhost",
        "https://",
        "https://localhost/api",
        "https://localhost?x",
        "https://user@localhost",
        "https://localhost:x",
        "https://localhost:70000",
        "https://localhost.",
        "https://local host",
        "ftp://localhost",
        "file:///etc/passwd",
        "http://thingspace.verizon.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://128.0.0.1",
        "http://10.0.0.1:8080",
    ],
)
def test_refuses_what_is_no_safe_origin(origin):
    """Tokens are sent over https only, except to a loopback origin that is named."""
    with pytest.raises(ValueError, match=r"is not an origin|is plain http"):
        Environment.at(origin)


@pytest.mark.parametrize("name", ["token_url", "revoke_url", "login_url", "logout_url"])
@pytest.mark.parametrize(
    "url",
    ["", "/oauth2/token", "https://user:word@thingspace.verizon.com/", "http://thingspace.verizon.com/"],
)
def test_refuses_an_endpoint_that_would_tell_the_secret(name, url):
    """Every endpoint is https, or http on loopback."""
    with pytest.raises(ValueError, match=r"is not the URL of an endpoint|is plain http"):
        like(PRODUCTION, **{name: url})


@pytest.mark.parametrize("name", ["origins", "imp_origins"])
def test_refuses_one_string_for_a_collection(name):
    """A string is a collection of letters, which nobody means."""
    with pytest.raises(ValueError, match="collection"):
        like(PRODUCTION, **{name: "https://localhost"})


def test_refuses_an_environment_without_an_origin():
    """It would cover nothing, so that every call would go out without a token."""
    with pytest.raises(ValueError, match="at least one"):
        like(PRODUCTION, origins=())


def test_takes_any_collection_of_origins():
    """It keeps a tuple, so that nobody can change it afterwards."""
    origins = ["https://localhost", "https://localhost:8443"]
    environment = like(PRODUCTION, origins=origins)
    origins.append("https://evil.example")
    assert environment.origins == ("https://localhost", "https://localhost:8443")
    assert not environment.covers("https://evil.example/")


@pytest.mark.parametrize("prefix", [*PRODUCTION.origins, "https://THINGSPACE.verizon.com:443"])
@pytest.mark.parametrize("path", [TOKEN_PATH, "/api/ts/v1/oauth2/revoke", LOGIN_PATH])
@pytest.mark.parametrize("tail", ["", "?grant_type=client_credentials", "#x"])
def test_leaves_its_own_endpoints_alone(prefix, path, tail):
    """Verizon's SDK sends its own Basic header there."""
    assert PRODUCTION.session_header_for(prefix + path + tail) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://thingspace.verizon.com/api/m2m/v1/session/logout",
        "https://thingspace.verizon.com/api/ts/v1/oauth2/tokens",
        "https://thingspace.verizon.com/api/ts/v1/oauth2/token/",
        "https://thingspace.verizon.com/api/m2m/v1/session/login/again",
    ],
)
def test_stamps_what_only_looks_like_an_endpoint(url):
    """The logout wants both tokens, and a longer path is another resource."""
    assert PRODUCTION.session_header_for(url) == "VZ-M2M-Token"


def test_an_endpoint_may_be_written_in_any_spelling():
    """A prepared request has the plain spelling, whatever the environment was given."""
    odd = like(PRODUCTION, token_url="https://ThingSpace.Verizon.com:443" + TOKEN_PATH)
    assert odd.session_header_for(PRODUCTION.token_url) is None


@pytest.mark.parametrize("environment", [PRODUCTION, STAGING])
def test_the_session_header_depends_on_the_origin(environment):
    """Verizon's SDK: the imp. server calls it SessionToken, all others VZ-M2M-Token."""
    (imp,) = environment.imp_origins
    assert environment.session_header_for(f"{imp}/api/v2/mapdata") == "SessionToken"
    assert environment.session_header_for(f"{imp.upper()}:443/api/v2/mapdata") == "SessionToken"
    for origin in set(environment.origins) - {imp}:
        assert environment.session_header_for(f"{origin}/api") == "VZ-M2M-Token"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_environments_travel(again):
    """A copy covers what the original covers."""
    assert again(STAGING) == STAGING
    assert again(STAGING).covers(STAGING.token_url)
