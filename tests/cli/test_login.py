"""``thingspace login``, and the profiles that every command then uses."""

import io
import json
import sys

import pytest

from .conftest import NO_CREDENTIALS


@pytest.fixture
def path(tmp_path):
    """The file of profiles."""
    return tmp_path / "config" / "requests-thingspace" / "profiles.json"


@pytest.fixture
def found(call):
    """A function that gives what the status knows."""
    return lambda *arguments: json.loads(call("status", "--json", *arguments)[1])


def set_other_key(monkeypatch):
    monkeypatch.setenv("THINGSPACE_CLIENT_ID", "other")
    monkeypatch.setenv("THINGSPACE_CLIENT_SECRET", "another")


@pytest.fixture
def login(call, monkeypatch, sandbox):
    """A function that logs in with four lines on stdin; no command finds other credentials than it keeps."""
    for name in NO_CREDENTIALS:
        monkeypatch.delenv(name)

    def login(*arguments, secret=sandbox.client_secret, user=sandbox.username, password=sandbox.password):
        lines = "\n".join((sandbox.client_id, secret, user, password, ""))
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        return call("login", *arguments)

    return login


def test_what_was_accepted_is_kept_and_used(login, call, sandbox, path, monkeypatch):
    """One token call and one login, which is ended or ends by itself; then nothing needs a variable."""
    status, out, err = login()
    assert (status, out.count("\n")) == (0, 1)
    assert str(path) in out
    assert json.loads(path.read_text())["default"]["base_url"] == sandbox.origin
    assert "a failed one counts" in err
    assert (sandbox.calls["token"], sandbox.calls["login"], sandbox.answers["logout", 200]) == (1, 1, 1)
    sandbox.fail_next("logout", status=503)
    status, _, err = login()
    assert (status, "its session ends by itself" in err) == (0, True)
    monkeypatch.delenv("THINGSPACE_BASE_URL")
    assert call("token", "--session")[0] == 0
    assert call("check", "--login", "--account", sandbox.account)[0] == 0
    assert call("revoke")[0] == 0
    assert call("logout")[1] == "The M2M session is ended.\n"


def test_without_a_user_there_is_no_login(login, call, found, sandbox, monkeypatch):
    """The last two lines may be empty; what needs a login then says so, and another key needs none of it."""
    assert (login(user="", password="")[0], sandbox.calls["login"]) == (0, 0)
    assert call("token", "--profile", "default")[0] == 0
    assert "profile 'default' has no M2M login" in call("token", "--session", "--profile", "default").line
    assert found()["profile"] == "default"
    set_other_key(monkeypatch)
    assert found()["profile"] is None


@pytest.mark.parametrize(
    ("wrong", "refused"),
    [({"secret": "a-mistake"}, "refused the token request"), ({"password": "no"}, "refused the login")],
)
def test_what_was_refused_is_not_kept(login, call, sandbox, wrong, refused):
    """One try, and the old profile stays; --untested is not for that."""
    assert login()[0] == 0
    for untested in ((), ("--untested",)):
        before = sandbox.calls["login"]
        status, out, err = login(*untested, **wrong)
        assert (status, out) == (1, "")
        assert f"nothing is kept: ThingSpace {refused}" in err
        assert sandbox.calls["login"] - before <= 1
    assert call("token", "--session")[0] == 0


def test_what_could_not_be_reached_is_kept_only_if_that_is_wanted(login, found, monkeypatch):
    """As on a machine without a network; without THINGSPACE_BASE_URL it is for the real ThingSpace."""
    monkeypatch.delenv("THINGSPACE_BASE_URL")
    monkeypatch.setenv("THINGSPACE_PROFILE", "")  # which names no other profile
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # which leads nowhere
    status, _, err = login()
    assert (status, found()["profile"]) == (1, None)
    assert "thingspace login --untested" in err
    status, _, err = login("--untested")
    assert status == 0
    assert "kept untested" in err
    assert (found()["profile"], found()["origin"]) == ("default", "https://thingspace.verizon.com")


def test_half_a_pair_is_not_kept(login, call, sandbox, monkeypatch):
    """Nothing is sent, and all that is missing is named at once; stdin may be closed."""
    assert "this is missing: Client secret" in login(secret="").line
    assert "this is missing: UWS password" in login(password="").line
    monkeypatch.setattr(sys, "stdin", None)
    assert "this is missing: Client ID and Client secret (four lines of stdin" in call("login").line
    assert sandbox.calls["token"] == 0


def test_a_profile_is_forgotten(login, call, path):
    """One that does not exist names those that do; a file that cannot be read is told of on one line."""
    login()
    login("--profile", "work")
    told = "Profile 'work' is forgotten; tokens that are stored live on until they expire.\n"
    assert call("login", "--forget", "--profile", "work")[:2] == (0, told)
    assert "those that exist: default" in call("login", "--forget", "--profile", "work").line
    path.write_text("no JSON")
    for command in (["status", "--profile", "default"], ["login", "--forget"]):
        assert "profiles.json" in call(*command).line


@pytest.mark.parametrize("command", ["status", "check", "token", "revoke", "logout", f"run {__file__}"])
def test_an_unknown_profile_names_those_that_exist(login, call, monkeypatch, command):
    """Each command ends with status 2, and nothing is sent."""
    login(user="", password="")
    command, *script = command.split()
    told = call(command, "--profile", "wrok", *script).line
    assert "there is no profile 'wrok'; those that exist: default." in told
    monkeypatch.setenv("THINGSPACE_PROFILE", "wrok")
    assert call(command, *script).line == told


def test_profile_wins_over_variables_and_they_over_the_default(login, found, monkeypatch):
    """What comes from where can be read in the status."""

    def sources(*arguments):
        known = found(*arguments)
        return known["profile"], known["sources"].get("client_id"), known["sources"].get("username")

    login()
    login("--profile", "work")
    kept = "profile default"
    assert sources() == ("default", kept, kept)
    set_other_key(monkeypatch)
    assert sources() == ("default", "THINGSPACE_CLIENT_ID", kept)
    monkeypatch.setenv("THINGSPACE_PROFILE", "work")
    assert sources() == ("work", "THINGSPACE_CLIENT_ID", "profile work")
    monkeypatch.setenv("THINGSPACE_USERNAME", "someone")
    monkeypatch.setenv("THINGSPACE_PASSWORD", "something")
    assert sources() == (None, "THINGSPACE_CLIENT_ID", "THINGSPACE_USERNAME")
    assert sources("--profile", "work") == ("work", "profile work", "profile work")


def test_what_was_kept_for_one_thingspace_goes_to_no_other(login, call, found, monkeypatch, sandbox):
    """THINGSPACE_BASE_URL does not redirect a profile, nor does a profile lend its login to another key."""
    login()
    monkeypatch.setenv("THINGSPACE_BASE_URL", "https://localhost:1")
    assert f"profile 'default' is for {sandbox.origin}" in call("token").line
    assert call("token", "--profile", "default")[0] == 0
    set_other_key(monkeypatch)
    monkeypatch.setenv("THINGSPACE_PROFILE", "default")
    monkeypatch.delenv("THINGSPACE_BASE_URL")
    known = found()
    assert (known["profile"], known["username"]) == (None, None)
    assert known["origin"] == "https://thingspace.verizon.com"


def test_a_keyring_keeps_it(login, call, sandbox, tmp_path, path, monkeypatch):
    """With a keyring that the system recommends no file holds the secret, and the token still comes."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.file_keyring.Keyring")
    assert "the system's keyring (a keyring for tests)" in login()[1]
    assert sandbox.client_secret not in path.read_text()
    assert sandbox.client_secret in (tmp_path / "keyring.json").read_text()
    assert call("token")[0] == 0


def test_a_profile_with_a_mistyped_url_is_named(login, call, path):
    """Somebody has edited the file."""
    login()
    path.write_text(path.read_text().replace("https://", ""))
    assert "profile 'default': '127.0.0.1:" in call("token", "--profile", "default").line
