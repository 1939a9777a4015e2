"""Nothing is left behind: whatever a run starts ends with it, however it ends.

guarded(work) runs work(folder) in a process of its own, below a guardian. The guardian leads a
session of its own, inherits every orphan (a postmaster leaves its Patroni on purpose) and reaps it.
When the work has ended, or whoever called guarded() has died, even by SIGKILL, it kills every
process that works in the folder or names it, and removes the folder. Standard library only.
"""
import ctypes
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def prctl(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def processes(folder, named=True):
    """Ids of all processes that work in a folder, or below it, or (named) whose words name it."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            place = os.readlink(f"/proc/{name}/cwd")
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read()
        except OSError:  # it has ended
            continue
        if place == folder or place.startswith(folder + "/") or \
                (named and (folder + "/").encode() in words):
            found.append(int(name))
    return found


def kill_all(find):
    """SIGKILL to every process that find() gives, until it gives none."""
    until = time.monotonic() + 30
    while found := find():
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > until:
            raise RuntimeError(f"processes that do not end: {found}")
        time.sleep(0.005)


def clean(folder):
    kill_all(lambda: processes(folder))
    shutil.rmtree(folder, ignore_errors=True)


def guardian(folder, caller, work):
    """Wait for the work's end or the caller's; the status to exit with."""
    os.setsid()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    worker = os.fork()
    if worker == 0:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.close(caller)
        status = 1
        try:
            status = work(folder)
        except BaseException:  # said here, for the process ends without its usual farewell
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    status, done = 1, False
    while not done:
        gone = bool(select.select([caller], [], [], 0.05)[0])
        if gone:
            os.kill(worker, signal.SIGKILL)
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == worker:
                    done = True
                    status = os.waitstatus_to_exitcode(ended[1])
        except ChildProcessError:
            done = True
        done = done or gone
    return status if status >= 0 else 1


def guarded(work):
    """Run work(folder) -> status; the folder is new, and gone afterwards with who worked there."""
    # Not under TMPDIR: the ordinary user that runs the databases may not enter it.
    folder = tempfile.mkdtemp(prefix="kop-ha-", dir="/tmp")
    caller, alive = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(alive)
        status = 1
        try:
            status = guardian(folder, caller, work)
            clean(folder)
        finally:
            os._exit(status)
    os.close(caller)
    try:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except KeyboardInterrupt:
        os.close(alive)
        os.waitpid(child, 0)
        status = 130
    clean(folder)
    return status if status >= 0 else 1
