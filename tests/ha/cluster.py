"""Three nodes of PostgreSQL under Patroni, with etcd, on loopback: started, killed, healed.

Every node is a Patroni with its PostgreSQL and a member of etcd. They run as an ordinary user, in a
folder that the caller gives, on ports below those that the kernel hands out by itself: a port must
still be free when a killed node comes back. Standard library only.
"""
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from guard import PR_SET_PDEATHSIG, kill_all, prctl, processes

NODES = 3
PLACES = [os.environ.get("KOPILKA_POSTGRES", "")] + [f"/usr/lib/postgresql/{n}/bin"
                                                     for n in (15, 16, 17)]
KINDS = {
    "postmaster": "PostgreSQL alone, every process of it",
    "node": "PostgreSQL and its Patroni",
    "machine": "PostgreSQL, its Patroni and the member of etcd beside them",
    "frozen": "PostgreSQL and its Patroni stand still (SIGSTOP), and go on when another serves",
    "twice": "a node; and the node that serves next, as soon as it does",
}


def free_ports(count):
    """Ports that nobody listens on and that the kernel does not give to connections."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
    candidates = random.sample(range(10000, max(first, 12000)), 400)
    ports = []
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                continue
        if len(ports) == count:
            return ports
    raise RuntimeError("no free ports")


class Node:
    """One machine of the cluster: what runs on it and where."""

    def __init__(self, cluster, number, ports):
        self.cluster, self.name = cluster, f"n{number}"
        self.peer_port, self.etcd_port, self.rest_port, self.port = ports
        self.folder = os.path.join(cluster.folder, self.name)
        self.data = os.path.join(self.folder, "data")
        self.etcd = self.patroni = None
        os.mkdir(self.folder, 0o700)
        if cluster.user:
            os.chown(self.folder, cluster.user.pw_uid, cluster.user.pw_gid)

    def launch(self, what, *words):
        with open(os.path.join(self.cluster.folder, f"{self.name}-{what}.log"), "ab") as log:
            return subprocess.Popen(words, preexec_fn=self.cluster.become, cwd=self.folder,
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """What does not run is started, what stands still goes on."""
        if self.patroni is not None:
            self.signal(signal.SIGCONT)
        if self.etcd is None:
            client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port,
                                                                    self.peer_port))
            members = ",".join(f"{node.name}=http://127.0.0.1:{node.peer_port}"
                               for node in self.cluster.nodes)
            self.etcd = self.launch(
                "etcd", "etcd", "--name", self.name, "--data-dir", f"{self.folder}/etcd",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", members, "--initial-cluster-state", "new",
                "--initial-cluster-token", "kopilka", "--log-level", "error",
                f"--enable-v2={'false' if self.cluster.dcs == 'etcd3' else 'true'}")
        if self.patroni is None:
            path = os.path.join(self.folder, "patroni.json")
            if not os.path.exists(path):
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(self.settings(), file, indent=1)
                os.chmod(path, 0o644)
            self.patroni = self.launch("patroni", "patroni", path)

    def settings(self):
        """Patroni's file: YAML, of which JSON is a part."""
        cluster = self.cluster
        return {
            "scope": "kopilka",
            "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest_port}",
                        "connect_address": f"127.0.0.1:{self.rest_port}"},
            cluster.dcs: {"hosts": [f"127.0.0.1:{node.etcd_port}" for node in cluster.nodes]},
            "bootstrap": {
                "dcs": {
                    **cluster.times,
                    "synchronous_mode": True,
                    "synchronous_mode_strict": cluster.strict,
                    "maximum_lag_on_failover": 1048576,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "use_slots": True,
                        "parameters": {
                            "max_connections": 100, "shared_buffers": "32MB",
                            "wal_log_hints": "on", "wal_keep_size": "256MB",
                            "wal_retrieve_retry_interval": "1s", "synchronous_commit": "on",
                        },
                    },
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
                "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 trust",
                           "host replication all 127.0.0.1/32 trust"],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": self.data,
                "bin_dir": cluster.bin,
                "pgpass": f"{self.folder}/pgpass",
                "authentication": {"superuser": {"username": "kopilka"},
                                   "replication": {"username": "replica"},
                                   "rewind": {"username": "kopilka"}},
                "parameters": {"unix_socket_directories": self.folder},
                "remove_data_directory_on_rewind_failure": True,
                "remove_data_directory_on_diverged_timelines": True,
            },
        }

    def signal(self, number):
        """To PostgreSQL and Patroni; who is stopped starts nobody, so a second look is enough."""
        for _ in range(2):
            for pid in [self.patroni.pid, *processes(self.data, named=False)]:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass

    def kill(self, kind):
        """SIGKILL to all of it at once; see KINDS. Comes back when every process is gone."""
        if kind == "frozen":
            self.signal(signal.SIGSTOP)
            return
        if kind == "postmaster":
            kill_all(lambda: processes(self.data, named=False))
            return
        victims = [self.patroni] + ([self.etcd] if kind == "machine" else [])
        for victim in victims:
            victim.kill()
        kill_all(lambda: processes(self.data, named=False))
        for victim in victims:
            victim.wait()
        # A helper of Patroni's (pg_basebackup, pg_rewind) works in the node's folder.
        kept = {self.etcd.pid} if kind != "machine" else set()
        kill_all(lambda: [pid for pid in processes(self.folder, named=False) if pid not in kept])
        self.patroni = None
        if kind == "machine":
            self.etcd = None

    def rest(self, path):
        """Patroni's answer as JSON; None: it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/{path}",
                                        timeout=2) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return None

    def ask(self, sql, database="postgres"):
        """Rows as psql writes them, unaligned."""
        return subprocess.run([f"{self.cluster.bin}/psql", "-h", "127.0.0.1", "-p", str(self.port),
                               "-U", "kopilka", "-tAqc", sql, database], check=True,
                              capture_output=True, text=True, timeout=60).stdout.strip()


class Cluster:
    """The nodes together."""

    def __init__(self, folder, ttl=20, loop_wait=1, retry_timeout=3, strict=False,
                 dcs="etcd"):
        missing = [name for name in ("patroni", "etcd") if not shutil.which(name)]
        self.bin = next((p for p in PLACES if p and os.path.exists(f"{p}/initdb")), None)
        if missing or not self.bin:
            raise RuntimeError(f"not installed: {missing or 'PostgreSQL'}; tools/setup ha does it")
        self.folder, self.user, self.strict, self.dcs = folder, None, strict, dcs
        self.times = {"ttl": ttl, "loop_wait": loop_wait, "retry_timeout": retry_timeout}
        if os.geteuid() == 0:
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            self.user = names.get("postgres") or names["nobody"]
        os.chmod(folder, 0o711)
        ports = free_ports(4 * NODES)
        self.nodes = []
        for i in range(NODES):
            self.nodes.append(Node(self, i + 1, ports[4 * i:4 * i + 4]))
        for node in self.nodes:
            node.start()

    def become(self):
        """In a child: no longer root, a session of its own, dead when the harness is dead."""
        os.setsid()
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def members(self):
        """{name: Patroni's word about it}, from any node that answers."""
        for node in self.nodes:
            if node.patroni and (answer := node.rest("cluster")):
                return {member["name"]: member for member in answer.get("members", ())}
        return {}

    def is_whole(self, members):
        """A leader, a synchronous standby, everybody running on one timeline and near."""
        roles = sorted(member.get("role") for member in members.values())
        leader = next((m for m in members.values() if m.get("role") == "leader"), None)
        return leader is not None and roles == ["leader", "replica", "sync_standby"] and all(
            member.get("state") in ("running", "streaming") and
            member.get("timeline") == leader.get("timeline") and
            (member is leader or (isinstance(member.get("lag"), int) and member["lag"] < 1 << 24))
            for member in members.values())

    def leader(self):
        """The node that Patroni calls the leader, and that runs; None: there is none just now."""
        for member in self.members().values():
            if member.get("role") == "leader" and member.get("state") == "running":
                return next(node for node in self.nodes if node.name == member["name"])
        return None

    def await_whole(self, seconds=180):
        """Wait until it could bear the next kill; gives the leader's node."""
        until = time.monotonic() + seconds
        while True:
            members = self.members()
            if self.is_whole(members):
                leader = next(m["name"] for m in members.values() if m["role"] == "leader")
                return next(node for node in self.nodes if node.name == leader)
            if time.monotonic() > until:
                raise RuntimeError(f"the cluster does not become whole: {members}")
            time.sleep(0.1)

    def url(self, database="postgres"):
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgres://kopilka@{hosts}/{database}?target_session_attrs=read-write"
