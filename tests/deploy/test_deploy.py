"""Where fleets run: the examples of the page on deployment; see there which frameworks are the real ones."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from ..caches.redis_server import RedisServer, free_port
from ..users import environment_of_user, python

pytest.importorskip("gunicorn", reason="the frameworks are installed by nox -s deploy")
pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples" / "deploy"


def needs(*packages):
    """Skip where a framework is not installed: the session deploy of nox brings all of them."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def environment(sandbox, tmp_path):
    return {
        **environment_of_user(sandbox, tmp_path),
        "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(Path(__file__).parents[2])]),
        "TOKENS": str(tmp_path / "tokens" / "tokens.json"),
        "DEVICES_URL": f"{sandbox.origin}/api/m2m/v1/accounts/{sandbox.account}",
    }


@contextmanager
def running(*command, environment):
    """A service with all its processes, until the block ends."""
    with subprocess.Popen(command, env=environment, cwd=EXAMPLES, start_new_session=True) as service:
        try:
            yield
        finally:
            os.killpg(service.pid, signal.SIGTERM)
            try:
                service.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(service.pid, signal.SIGKILL)


def visit(port):
    """The status of a call to a service; it waits until the service listens."""
    until_it_listens = Retry(150, connect=150, read=0, other=0, backoff_factor=0.1, backoff_max=0.2)
    with requests.Session() as visitor:
        visitor.mount("http://", HTTPAdapter(max_retries=until_it_listens))
        return visitor.get(f"http://127.0.0.1:{port}/", timeout=60).status_code


def check(sandbox, call):
    """Ten tasks cost one token call and one login, and one of each more when both tokens have died."""
    for calls in (1, 2):
        assert call() == [200] * 10
        assert (sandbox.calls["token"], sandbox.calls["login"]) == (calls, calls)
        sandbox.revoke_tokens()
        sandbox.end_sessions()


def printed(environment, script, *arguments):
    done = python("-c", script, *arguments, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


GUNICORN = [sys.executable, "-m", "gunicorn", "wsgi_app:app", "--bind=127.0.0.1:{port}"]
UWSGI = [shutil.which("uwsgi", path=Path(sys.executable).parent), "--http-socket=127.0.0.1:{port}"]
UWSGI += ["--wsgi-file=wsgi_app.py", "--callable=app", "--master", "--need-app"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param([*GUNICORN, "--workers=3"], marks=needs("gunicorn")),
        pytest.param([*GUNICORN, "--workers=3", "--threads=4"], marks=needs("gunicorn")),
        pytest.param([*GUNICORN, "--workers=3", "--worker-class=gevent"], marks=needs("gunicorn", "gevent")),
        pytest.param([*GUNICORN, "--workers=3", "--preload"], marks=needs("gunicorn")),
        pytest.param([*UWSGI, "--processes=3", "--enable-threads"], marks=needs("pyuwsgi")),
    ],
    ids=lambda command: command[-1],
)
def test_a_web_server(sandbox, environment, command):
    """Three workers of each class, made before or after the fork."""
    port = free_port()
    command = [part.format(port=port) for part in command]
    with running(*command, environment=environment), ThreadPoolExecutor(10) as visitors:
        check(sandbox, lambda: list(visitors.map(visit, [port] * 10)))


@needs("gunicorn")
def test_secrets_that_change_in_a_fleet(sandbox, environment, tmp_path):
    """Eight workers under load, secret and password are exchanged as Kubernetes does: no call fails."""

    def exchange(number, secret, password):
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "client-secret").write_text(secret)
        (folder / "password").write_text(password)
        (tmp_path / "..new").symlink_to(folder)
        os.replace(tmp_path / "..new", tmp_path / "..data")

    exchange(1, environment.pop("THINGSPACE_CLIENT_SECRET"), environment.pop("THINGSPACE_PASSWORD"))
    for name, file in (("CLIENT_SECRET", "client-secret"), ("PASSWORD", "password")):
        environment[f"THINGSPACE_{name}_FILE"] = str(tmp_path / "..data" / file)
    port, over, seen = free_port(), threading.Event(), []

    def load():
        while not over.is_set():
            seen.append(visit(port))

    command = [part.format(port=port) for part in (*GUNICORN, "--workers=8")]
    with running(*command, environment=environment), ThreadPoolExecutor(8) as threads:
        try:
            for _ in range(8):
                threads.submit(load)
            assert sandbox.wait_for_calls("api", 30, 60)
            exchange(2, "another-secret", "another-password")
            sandbox.change_secret("another-secret")
            sandbox.change_password("another-password")
            sandbox.revoke_tokens()
            sandbox.end_sessions()
            assert sandbox.wait_for_calls("api", sandbox.calls["api"] + 60, 60)
        finally:
            over.set()
    assert set(seen) == {200}
    assert sandbox.answers["token", 401] <= 1
    assert sandbox.answers["login", 400] <= 1
    assert (sandbox.answers["token", 200], sandbox.answers["login", 200]) == (2, 2)


CELERY = """
import json, sys
from celery.exceptions import SoftTimeLimitExceeded
from tasks import device_count
limit = float(sys.argv[1]) or None
pending = [device_count.apply_async(soft_time_limit=limit) for _ in range(10 if limit is None else 1)]
try:
    print(json.dumps([one.get(timeout=60) for one in pending]))
except SoftTimeLimitExceeded:
    print('["limit"]')
"""


@needs("celery")
def test_celery(sandbox, environment):
    """Ten tasks in three processes; a soft time limit in mid-fetch arrives as it is and harms no other."""
    with RedisServer(tcp=True) as broker:
        environment["BROKER_URL"] = f"redis://127.0.0.1:{broker.port}/1"
        command = "celery", "-A", "tasks", "worker", "--concurrency=3", "-l", "error"
        with running(sys.executable, "-m", *command, environment=environment):
            check(sandbox, lambda: printed(environment, CELERY, 0.0))
            sandbox.slow("token", 3.0)
            assert printed(environment, CELERY, 1.0) == ["limit"]
            sandbox.slow("token", 0.0)
            assert printed(environment, CELERY, 0.0) == [200] * 10


def test_airflow(sandbox, environment):
    """The hook's call of a factory gives an auth."""
    script = (
        "import os, requests, airflow_auth\n"
        "auth = airflow_auth.thingspace_auth(os.environ.pop('LOGIN'), os.environ.pop('SECRET'))\n"
        "print([requests.get(os.environ['DEVICES_URL'], auth=auth).status_code for _ in range(10)])"
    )
    environment["LOGIN"] = environment.pop("THINGSPACE_CLIENT_ID")
    environment["SECRET"] = environment.pop("THINGSPACE_CLIENT_SECRET")
    check(sandbox, lambda: printed(environment, script))


def test_lambda(sandbox, environment):
    """A function of which only /tmp can be written to."""
    environment["HOME"] = "/proc/nowhere"
    script = (
        "import lambda_function; print([lambda_function.handler({}, None)['statusCode'] for _ in range(10)])"
    )
    shutil.rmtree("/tmp/thingspace", ignore_errors=True)
    try:
        check(sandbox, lambda: printed(environment, script))
    finally:
        shutil.rmtree("/tmp/thingspace", ignore_errors=True)


def test_jobs_that_start_together(sandbox, environment, tmp_path):
    """Ten jobs of cron or systemd in the same second, with a secret in a file."""
    secret = tmp_path / "secret"
    secret.write_text(environment.pop("THINGSPACE_CLIENT_SECRET") + "\n")
    environment["THINGSPACE_CLIENT_SECRET_FILE"] = str(secret)

    def call():
        command = [sys.executable, str(EXAMPLES / "job.py")]
        jobs = [subprocess.Popen(command, env=environment) for _ in range(10)]
        return [200 if job.wait(60) == 0 else job.returncode for job in jobs]

    check(sandbox, call)


@needs("nbclient", "ipykernel")
@pytest.mark.filterwarnings("ignore")  # those of the packages of Jupyter
def test_jupyter(sandbox, environment, monkeypatch):
    """Five cells in each of two kernels, which share a token."""
    import nbclient
    import nbformat

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    start = (
        "import os, requests\n"
        "from requests_thingspace import FileTokenCache, ThingspaceAuth\n"
        "session = requests.Session()\n"
        "session.auth = ThingspaceAuth.from_env(cache=FileTokenCache(os.environ['TOKENS']))\n"
    )
    cell = "print(session.get(os.environ['DEVICES_URL']).status_code)"

    def statuses_in_a_kernel():
        cells = [nbformat.v4.new_code_cell(source) for source in (start, *[cell] * 5)]
        notebook = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=60).execute()
        return [int(one.outputs[0].text) for one in notebook.cells[1:]]

    check(sandbox, lambda: [*statuses_in_a_kernel(), *statuses_in_a_kernel()])
