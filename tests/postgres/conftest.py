"""A real Postgres server of the session's own, started from the machine's binaries."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

PASSWORD = "not-for-the-log"
_BINARIES = ("initdb", "pg_ctl", "postgres")
_numbers = count()
_FAST = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB -c max_connections=20"


@dataclass(frozen=True)
class Server:
    """A server that listens on a socket in `folder` and asks for a password."""

    folder: Path

    def url(self, database: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://pql@/{database}?host={self.folder}"

    def run(self, database: str, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="psycopg is not installed (the `postgres` extra)")
    if missing := [name for name in _BINARIES if _binary(name) is None]:
        pytest.skip(f"no Postgres server on this machine: {', '.join(missing)} not found")
    # Postgres refuses to run as root, and root's own folders are closed to everybody else.
    owner = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pql-postgres-", dir="/tmp"))
    try:
        (folder / "password").write_text(PASSWORD)
        if owner:
            shutil.chown(folder, owner)
            shutil.chown(folder / "password", owner)

        def call(binary: str, *arguments: str) -> None:
            command = [str(_binary(binary)), *arguments]
            with (folder / "output").open("a") as output:
                subprocess.run(
                    command, user=owner, cwd=folder, stdout=output, stderr=output, check=True
                )

        data = str(folder / "data")
        (folder / "output").touch()
        options = ["-U", "pql", "-A", "scram-sha-256", "--pwfile", str(folder / "password")]
        call("initdb", "-D", data, *options, "-E", "UTF8", "--no-locale", "--no-sync")
        start = f"{_FAST} -c unix_socket_directories={folder}"
        call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", start, "start")
        try:
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("PGPASSWORD", PASSWORD)
                yield Server(folder)
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _binary(name: str) -> str | None:
    """A server's binary: on the path, or where Debian puts it."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or next((str(path) for path in reversed(versions)), None)


@pytest.fixture
def database(server) -> Iterator[Callable[..., str]]:
    """A function that runs statements in an empty database of the test; returns its url."""
    name = f"test_{next(_numbers)}"
    server.run("postgres", f"create database {name}")

    def prepare(*statements: str) -> str:
        server.run(name, *statements)
        return server.url(name)

    yield prepare
    server.run("postgres", f"drop database {name} with (force)")
