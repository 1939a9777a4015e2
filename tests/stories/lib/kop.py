"""What the stories share: a server in a folder of its own, requests, and counting of checks.

A story is told over the public interface alone: the program and HTTP. Standard library only.
"""
import atexit
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

KOPILKA = os.environ.get("KOPILKA", "build/kopilka")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.dirname(os.path.join(ROOT, KOPILKA))  # the tests' own programs lie there as well


class Story:
    """Counts checks; the closing line is `N passed, N failed`."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0
        self.folder = tempfile.mkdtemp(prefix="kop-story-")

    def check(self, what, got, wanted=True):
        if got == wanted:
            self.passed += 1
            return True
        self.failed += 1
        print(f"not ok - {self.name}: {what}\n  wanted {wanted!r}\n  got    {got!r}", flush=True)
        return False

    def path(self, name):
        return os.path.join(self.folder, name)

    def end(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def run(*words, check=True):
    """Run the program; gives the finished process with its text."""
    done = subprocess.run([KOPILKA, *words], capture_output=True, text=True, cwd=ROOT,
                          stdin=subprocess.DEVNULL)
    if check and done.returncode != 0:
        raise RuntimeError(f"kopilka {' '.join(words)}: {done.stdout}{done.stderr}")
    return done


def words_of(book):
    """How the program is told of a book: a file's path, or a book of book.py."""
    return ("--db", book) if isinstance(book, str) else book.words


class Server:
    """`kopilka serve` on a port that the kernel chooses."""

    def __init__(self, book, *options, scopes="till,read,members,admin", key=None, env=None):
        self.book, self.options, self.env = book, options, env
        self.db = book if isinstance(book, str) else book.path
        self.key = key or run("key", *words_of(book), "--scopes", scopes).stdout.strip()
        self.process = None
        atexit.register(self.end)
        self.start()

    def words(self):
        return ("serve", *words_of(self.book), "--port", "0", *self.options)

    def launch(self, env=None):
        """Start it; tell whether it listens. What it says as an error is in DB.errors."""
        with open(self.db + ".errors", "ab") as errors:
            self.process = subprocess.Popen(
                [KOPILKA, *self.words()], cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=dict(os.environ, **(env or self.env or {})))
        line = self.process.stdout.readline()
        if "listening" not in line:
            return False
        self.port = int(line.rsplit(":", 1)[1])
        return True

    def start(self, env=None):
        if not self.launch(env):
            with open(self.db + ".errors", encoding="utf-8", errors="replace") as errors:
                raise RuntimeError(f"the server did not start: {errors.read()}")

    def stop(self, how=signal.SIGTERM):
        """End it; gives its status. One that has ended already is only waited for."""
        self.process.send_signal(how)
        status = self.process.wait(timeout=30)
        self.process.stdout.close()
        return status

    def end(self):
        """A story that breaks off leaves no server behind."""
        if self.process and self.process.poll() is None:
            self.process.kill()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def ask(self, method, path, body=None, headers=None, connection=None, key=None, raw=False):
        """(status, answer): parsed JSON, or bytes with raw=True."""
        mine = connection or self.connect()
        sent = {"Authorization": f"Bearer {self.key if key is None else key}"}
        if body is not None:
            sent["Content-Type"] = "application/json"
            if not isinstance(body, (bytes, str)):
                body = json.dumps(body, ensure_ascii=False)
            if isinstance(body, str):
                body = body.encode()
        sent.update(headers or {})
        mine.request(method, path, body=body, headers=sent)
        answer = mine.getresponse()
        data = answer.read()
        if connection is None:
            mine.close()
        if raw:
            return answer.status, data
        return answer.status, json.loads(data) if data else None

    def post(self, path, body, **more):
        return self.ask("POST", path, body, **more)

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def enrol(self, programme, key, **fields):
        status, answer = self.post("/v1/members", {"programme": programme, **fields},
                                   headers={"Idempotency-Key": key})
        if status != 200:
            raise RuntimeError(f"not enrolled: {answer}")
        return answer["member"]


def verify(story, book):
    """The books must be right; returns the state hash."""
    done = run("verify", *words_of(book), check=False)
    story.check("verify", (done.returncode, "faults 0" in done.stdout), (0, True))
    return done.stdout.strip().rsplit(" ", 1)[-1]
