"""Profiles: what ``thingspace login`` keeps, in a keyring or in a private file, and how it is found again."""

from __future__ import annotations

import json
import stat
import sys

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest

from requests_thingspace import ThingspaceAuth
from requests_thingspace._profiles import _path, forget, load, names, require_extra, save, without_secrets

from .file_keyring import Keyring
from .secrets_in import frames, leaks

PROFILE = {"client_id": "id", "client_secret": "s3cret", "username": "user", "password": "pa55"}
KEYRINGS = {"keyring": Keyring, "none": keyring.backends.fail.Keyring, "null": keyring.backends.null.Keyring}


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "config"))
    return tmp_path


@pytest.fixture(params=[*KEYRINGS, "no package"])
def kept_in(request, home, monkeypatch):
    """Where profiles are kept: in a keyring, or in the file, for want of one that keeps anything."""
    before = keyring.get_keyring()
    if request.param in KEYRINGS:
        keyring.set_keyring(KEYRINGS[request.param]())
    else:
        monkeypatch.setitem(sys.modules, "keyring", None)
    yield request.param
    keyring.set_keyring(before)


@pytest.fixture
def path(home):
    return _path()


def test_a_profile_is_kept_replaced_and_forgotten(kept_in, path):
    """A keyring's secrets are in no file, nor are empty fields; a misspelt name is told what there is."""
    in_file, other = kept_in != "keyring", {"client_id": "other", "client_secret": "new"}
    with pytest.raises(ValueError, match="no profile 'wrok'; those that exist: none, until"):
        load("wrok")
    place = save("work", {**PROFILE, "base_url": ""})
    assert (str(path) in place, "keyring" in place) == (in_file, not in_file)
    assert [secret in path.read_text() for secret in ("s3cret", "pa55")] == [in_file] * 2
    for profile in (PROFILE, other):
        save("home", profile)
    assert (load("work"), load("home"), names()) == (PROFILE, other, ["home", "work"])
    assert without_secrets("work") == {"client_id": "id", "username": "user"}
    with pytest.raises(ValueError, match=r"no profile 'wrok'; those that exist: home, work\."):
        load("wrok")
    assert [forget("work"), forget("work")] == [True, False]
    assert (names(), without_secrets("work"), load("home")) == (["home"], {}, other)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_file_is_its_owner_s_alone(kept_in, path):
    """Mode 0600 in a folder of mode 0700; one that others can read is refused."""
    save("work", PROFILE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o644)
    with pytest.raises(PermissionError, match="chmod 600"):
        load("work")
    assert names() == []


@pytest.mark.parametrize("kept_in", ["keyring"], indirect=True)
def test_an_entry_of_the_keyring_is_enough_and_a_locked_one_is_told(kept_in, home):
    """One that somebody put there by hand has no line in the file; a broken one is none."""
    keyring.set_password("requests-thingspace", "profile default", json.dumps(PROFILE))
    assert load() == PROFILE
    for broken in ("no JSON", "[]", '{"client_id": 1}'):
        keyring.set_password("requests-thingspace", "profile default", broken)
        with pytest.raises(ValueError, match="no profile 'default'"):
            load()
    save("work", PROFILE)
    (home / "keyring.json").unlink()
    (home / "keyring.json").mkdir()
    with pytest.raises(ValueError, match="unlock it, or run thingspace login --profile work"):
        load("work")


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"work": []}', '{"work": {"client_id": null}}'])
def test_a_file_that_holds_something_else_is_named(home, path, content):
    """It is not overwritten: there may be secrets in it that somebody needs."""
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(ValueError, match=r"profiles\.json holds no profiles"):
        load("work")


def test_a_missing_extra_is_named(home, monkeypatch):
    """The message says what to install; where nothing can be kept there are no names."""
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    for call in (require_extra, load):
        with pytest.raises(ImportError, match=r"platformdirs: pip install 'requests-thingspace\[file\]'"):
            call()
    assert names() == []


def test_an_auth_is_made_from_a_profile(kept_in):
    """Arguments win over what is kept."""
    save("work", {**PROFILE, "base_url": "https://localhost:8443"})
    auth = ThingspaceAuth.from_profile("work", username="bob", password="b0b")
    assert (auth.client_id, auth.username) == ("id", "bob")
    assert auth.environment.origins == ("https://localhost:8443",)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"work": {"client_id": "id"}}, "client_secret must be"),
        ({"work": {**PROFILE, "base_url": "localhost"}}, "'localhost' is not an origin"),
        ({"work": PROFILE, "other": []}, "holds no profiles"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(home, path, kept, message):
    """By what is wrong with it, and no frame shows what else it holds."""
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match=message) as caught:
        ThingspaceAuth.from_profile("work")
    assert [leak for frame in frames(caught.value) for leak in leaks(frame, {"s3cret", "pa55"})] == []
