"""The fixtures in test runs of their own, as the users of the package have them."""

from __future__ import annotations

from importlib.metadata import distributions

import pytest

from .users import PACKAGE_FOLDER, path_without

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs pytest on a file with the plugin, if asked for in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", PACKAGE_FOLDER)
    points = {(point.group, point.name) for one in distributions() for point in one.entry_points}
    plugin = () if ("pytest11", "thingspace") in points else ("-p", "pytest_thingspace")

    def run(source, *arguments, apart=False):
        pytester.makepyfile(source)
        runpytest = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        return runpytest(*plugin, "-p", "no:cacheprovider", *arguments)

    return run


def test_one_server_for_a_run_and_a_clean_state_for_each_test(run):
    """What one test breaks is whole for the next, on the same server."""
    outcome = run(
        """
        import pytest

        origins = set()

        @pytest.mark.parametrize("round", [1, 2, 3])
        def test_clean(thingspace, round):
            origins.add(thingspace.origin)
            assert set(thingspace.calls.values()) == {0}
            assert not thingspace.locked
            url = f"{thingspace.origin}/api/m2m/v1/accounts/{thingspace.account}"
            assert thingspace.session().get(url).status_code == 200
            thingspace.advance(3600)
            thingspace.slow("api", 60)
            thingspace.fail_next("token", times=9)
            assert len(origins) == 1
        """
    )
    outcome.assert_outcomes(passed=3)


def test_the_environment_is_as_it_was_afterwards(run, monkeypatch):
    """Also for variables that were set before, and proxies that would stand in the way.

    Within the test, child processes find the sandbox, and trust it with any client.
    """
    monkeypatch.setenv("THINGSPACE_CLIENT_ID", "the-real-one")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("THINGSPACE_CLOCK_SKEW", "soon")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    outcome = run(
        """
        import os
        import subprocess
        import sys

        BY_REQUESTS = "import requests_thingspace as it; it.ThingspaceAuth.from_env().get_session_token()"
        BY_URLLIB = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + '/refused')"

        def test_inside(thingspace_env):
            assert os.environ["THINGSPACE_CLIENT_ID"] == thingspace_env.client_id
            subprocess.run([sys.executable, "-c", BY_REQUESTS], check=True)
            assert thingspace_env.calls["login"] == 1
            subprocess.run([sys.executable, "-c", BY_URLLIB, thingspace_env.origin], check=False)
            assert thingspace_env.answers["api", 400] == 1

        def test_afterwards():
            assert os.environ["THINGSPACE_CLIENT_ID"] == "the-real-one"
            assert os.environ["https_proxy"] == "http://127.0.0.1:1"
            assert os.environ["THINGSPACE_CLOCK_SKEW"] == "soon"
            assert not {"THINGSPACE_BASE_URL", "SSL_CERT_FILE"} & set(os.environ)
        """
    )
    outcome.assert_outcomes(passed=2)


def test_without_the_extra_the_test_says_what_to_install(run, pytester, monkeypatch):
    """One line. A test that does not ask for it is not concerned, and pays for no import."""
    monkeypatch.setenv("PYTHONPATH", path_without("trustme", pytester.path / "site"))
    outcome = run(
        """
        import sys

        def test_other():
            assert "pytest_thingspace" in sys.modules
            assert "requests_thingspace" not in sys.modules

        def test_it(thingspace): pass
        """,
        apart=True,
    )
    outcome.assert_outcomes(errors=1, passed=1)
    outcome.stdout.fnmatch_lines(["*trustme: pip install 'requests-thingspace?sandbox?'"])


def test_the_fixtures_are_listed_with_their_purpose(run):
    """``pytest --fixtures`` is where a user looks first."""
    outcome = run("", "--fixtures")
    outcome.stdout.fnmatch_lines(["thingspace -- *", "*ThingSpace on loopback*", "thingspace_env -- *"])
