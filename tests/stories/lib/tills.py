"""Scripted tills: many requests over many connections at once, and what was answered.

Drives the program tests/kill/tills (see its prologue). A script is a list of Request; an answer is
(status, bytes). Standard library only.
"""
import json
import os
import subprocess

import kop

PROGRAM = os.environ.get("KOPILKA_TILLS", os.path.join(kop.BUILD, "tests/kill/tills"))


class Request:
    """One request of a connection's list. `body` may hold $R: the reserve of the answer before."""

    __slots__ = ("connection", "method", "path", "key", "body", "note")

    def __init__(self, connection, path, body=None, key="-", method="POST", note=None):
        self.connection, self.method, self.path, self.key = connection, method, path, key
        if body is not None and not isinstance(body, str):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        self.body, self.note = body, note

    def line(self):
        return f"{self.connection} {self.method} {self.path} {self.key} {self.body or '-'}\n"


class Fleet:
    """Servers of one book as one server: connections take them by turns."""

    def __init__(self, *servers):
        self.port = ",".join(str(server.port) for server in servers)
        self.key = servers[0].key


class Run:
    """A script that is being told to a server; `answers` by index once wait() has come back."""

    def __init__(self, server, script, folder, name="script"):
        self.script = script
        self.log = os.path.join(folder, name + ".log")
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(request.line() for request in script))
        if os.path.exists(self.log):
            os.remove(self.log)
        self.process = subprocess.Popen([os.path.join(kop.ROOT, PROGRAM), str(server.port),
                                         server.key, path, self.log], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.answers = {}

    def wait(self):
        """Wait for the end, then read the log: {index: (status, body)}; status 0: not sent."""
        said = self.process.communicate()[0]
        if self.process.returncode:
            raise RuntimeError(f"tills ended with {self.process.returncode}: {said}")
        with open(self.log, "rb") as file:
            for line in file:
                number, status, body = line.rstrip(b"\n").split(b" ", 2)
                self.answers[int(number) - 1] = (int(status), body)
        return self.answers


def tell(server, script, folder, name="script"):
    """Run a whole script; every request must have been answered."""
    answers = Run(server, script, folder, name).wait()
    if len(answers) != len(script):
        raise RuntimeError(f"{len(script) - len(answers)} requests were not answered")
    return [answers[i] for i in range(len(script))]
