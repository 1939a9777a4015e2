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

    def start(self):
        settings = ("listen_addresses=", "fsync=off", "max_connections=200", *self.settings)
        words = [word for setting in settings for word in ("-c", setting)]
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(
                [f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-k", self.folder, *words],
                preexec_fn=self._become, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.folder)
        until = time.monotonic() + 60
        while subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", self.folder],
                             check=False).returncode:
            if time.monotonic() > until or self.process.poll() is not None:
                with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
                    raise RuntimeError(f"PostgreSQL did not start: {log.read()}")
            time.sleep(0.02)

    def kill(self):
        """Every process of it gone at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        time.sleep(0.05)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name="postgres"):
        return f"postgres://kopilka@/{name}?host={self.folder}"

    def ask(self, sql, name="postgres"):
        """Rows as psql writes them, unaligned."""
        return subprocess.run([f"{self.bin}/psql", "-h", self.folder, "-U", "kopilka", "-tAqc",
                               sql, name], check=True, capture_output=True,
                              text=True).stdout.strip()
