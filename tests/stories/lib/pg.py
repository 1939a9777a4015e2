"""A PostgreSQL of a story's own: in a folder of its own, as an ordinary user, gone with the story."""
import atexit
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

PLACES = [os.environ.get("KOPILKA_POSTGRES", "")] + [f"/usr/lib/postgresql/{n}/bin"
                                                     for n in (15, 16, 17)]
PR_SET_PDEATHSIG = 1


class Postgres:
    """Listens on a socket in its folder only."""

    def __init__(self, *settings):
        self.bin = next((p for p in PLACES if p and os.path.exists(f"{p}/initdb")), None)
        if not self.bin:
            raise RuntimeError("PostgreSQL is not installed; tools/setup does it")
        # Not under TMPDIR: the ordinary user that runs the server may not enter it.
        self.folder = tempfile.mkdtemp(prefix="kop-pg-", dir="/tmp")
        self.process, self.settings = None, settings
        atexit.register(self.end)
        self.user = None
        if os.geteuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = names.get("postgres") or names["nobody"]
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.folder, 0o711)
        subprocess.run([f"{self.bin}/initdb", "-D", f"{self.folder}/data", "-U", "kopilka",
                        "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
                       preexec_fn=self._become, check=True, stdout=subprocess.DEVNULL,
                       cwd=self.folder)
        self.start()

    def _become(self):
        """In the child: a group of its own, no longer root, dead when the story is dead."""
        os.setsid()
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

    def launch(self):
        settings = ("listen_addresses=", "fsync=off", "max_connections=200", *self.settings)
        words = [word for setting in settings for word in ("-c", setting)]
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-k", self.folder, *words],
                preexec_fn=self._become, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder)

    def start(self):
        """
        Start it and wait until it answers. Who was killed may have left children behind that live
        a moment longer: while they hold the shared memory a new server ends at once, and another
        is launched.
        """
        self.launch()
        until = time.monotonic() + 60
        while subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", self.folder],
                             check=False).returncode:
            if time.monotonic() > until:
                with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"PostgreSQL did not start: {log.read()}")
            time.sleep(0.02)
            if self.process.poll() is not None:
                self.launch()

    def kill(self, orphans=True):
        """
        kill -9. With `orphans` of the first process alone: its children, each a group of its own,
        notice it and go, and until then they may still commit. Else of every process, as near to
        at once as it goes.
        """
        children = []
        if not orphans:
            self.process.send_signal(signal.SIGSTOP)  # no more are born
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                      encoding="ascii") as file:
                children = [int(pid) for pid in file.read().split()]
        self.process.kill()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill(orphans=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name="postgres"):
        return f"postgres://kopilka@/{name}?host={self.folder}"

    def ask(self, sql, name="postgres"):
        """Rows as psql writes them, unaligned."""
        return subprocess.run([f"{self.bin}/psql", "-h", self.folder, "-U", "kopilka", "-tAqc",
                               sql, name], check=True, capture_output=True,
                              text=True).stdout.strip()
