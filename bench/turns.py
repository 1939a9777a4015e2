"""What the benchmarks over HTTP share: a server under load, a turn at a time, and how a figure is
printed."""
import atexit
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CARD_PREFIX, CARD_DIGITS = "29", "10"  # as tools/make-members writes them
FIRST_RECEIPT = 2_000_000_000  # what a book has from its making comes before; ten digits
RECEIPTS_A_TURN = 10_000_000


def show(name, value, unit, ratio=None):
    text = f"{value:.3f}" if isinstance(value, float) and value < 100 else f"{value:.0f}"
    print(name, text, unit, "-" if ratio is None else f"{ratio:.2f}", flush=True)


def say(*words):
    print("#", *words, file=sys.stderr, flush=True)


def figures(text):
    """Lines of `name value unit` as a dictionary."""
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if line.strip()}


class Server:
    """`kopilka serve` on a port that the kernel chooses. `bench` knows where things are built, how
    many members there are, and a till's key."""

    receipt = FIRST_RECEIPT

    def __init__(self, bench, *words):
        self.bench = bench
        self.process = subprocess.Popen(
            [bench.kopilka, "serve", *words, "--port", "0", "--no-daily"], cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        atexit.register(self.process.kill)  # it does not outlive a bench that failed
        line = self.process.stdout.readline()
        if "listening" not in line:
            raise SystemExit("bench: the server did not start")
        self.port = line.rsplit(":", 1)[1].strip()

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M).group(1))

    def start_load(self, connections, seconds, what="commit"):
        """The load of a turn, under way; its receipts are nobody else's."""
        Server.receipt += RECEIPTS_A_TURN
        return subprocess.Popen(
            [self.bench.program("load"), "--port", self.port, "--key", self.bench.key(),
             "--connections", str(connections), "--seconds", str(seconds), "--what", what,
             "--members", str(self.bench.members), "--first", "0", "--card-prefix", CARD_PREFIX,
             "--card-digits", CARD_DIGITS, "--seed", str(Server.receipt // RECEIPTS_A_TURN),
             "--start", str(Server.receipt)], stdout=subprocess.PIPE, text=True)

    @staticmethod
    def end_load(load):
        """Its figures, when it is over."""
        text = load.communicate()[0]
        got = figures(text)
        if load.returncode or got["refused"] or got["broken"]:
            raise SystemExit(f"bench: the load was refused:\n{text}")
        return got

    def load(self, connections, seconds, what="commit"):
        """Figures of a turn, with the mean batch."""
        before = [self.metric(f"kopilka_store_{x}_total") for x in ("operations", "batches")]
        got = self.end_load(self.start_load(connections, seconds, what))
        after = [self.metric(f"kopilka_store_{x}_total") for x in ("operations", "batches")]
        got["batch"] = (after[0] - before[0]) / max(after[1] - before[1], 1)
        return got

    def resident(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.M).group(1)) * 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.process.stdout.close()


class Bench:
    """Where things are, and a book in a file with N members."""

    def __init__(self, options):
        self.build = os.path.join(ROOT, options.build)
        self.kopilka = os.path.join(self.build, "kopilka")
        self.members, self.options = options.members, options
        self.base = self.file(f"book-{self.members}.db")

    def file(self, name):
        return os.path.join(self.build, "bench", name)

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def key(self):
        with open(self.base + ".token", encoding="ascii") as file:
            return file.read().strip()

    def run(self, *words):
        done = subprocess.run([self.kopilka, *words], cwd=ROOT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: kopilka {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def prepare(self):
        """The base book: members, a key, and some purchases for the floor to take its rows from."""
        if os.path.exists(self.base + ".token") and not self.options.fresh:
            return
        say(f"making a book of {self.members} members")
        table, new = self.file("members.csv"), self.file("new.db")
        for path in (self.base + ".token", new, new + ".key"):
            if os.path.exists(path):
                os.unlink(path)
        subprocess.run([os.path.join(ROOT, "tools/make-members"), str(self.members), table,
                        "--balances", "bonus"], check=True)
        self.run("programme", "publish", "programmes/awn/programme.json", "--db", new,
                 "--from", "2026-01-01T00:00:00Z")
        begun = time.time()
        self.run("import", "members", table, "--programme", "awn", "--offline", "--db", new)
        say(f"imported {self.members / (time.time() - begun):.0f} members a second")
        os.unlink(table)
        token = self.run("key", "--db", new, "--scopes", "till").strip().split("\n")[-1]
        for end in ("", ".key"):
            os.replace(new + end, self.base + end)
        with open(self.base + ".token", "w", encoding="ascii") as file:
            file.write(token + "\n")
        server = Server(self, "--db", self.base, "--cache-mib", "256")
        Server.receipt -= FIRST_RECEIPT // 2
        server.load(64, 3)
        Server.receipt = FIRST_RECEIPT
        server.stop()
