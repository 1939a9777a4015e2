"""counts.py - how many tests a program's output tells of.

Understands, in this order of trust: closing lines `N passed, N failed`; cmocka's summary; TAP's
`ok` and `not ok` at the start of a line. Shared by tools/run and tools/gate, so that both count
alike. What a program relays of others must be indented: only the first column counts.
"""
import re

CLOSING = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, \d+ skipped)?\s*$", re.M)
CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)
TAP_PASSED = re.compile(r"^ok\b", re.M)
TAP_FAILED = re.compile(r"^not ok\b", re.M)


def closings(text):
    """Every closing line, as pairs (passed, failed)."""
    return [(int(p), int(f)) for p, f in CLOSING.findall(text)]


def details(text):
    """(passed, failed) by cmocka's summaries and TAP lines."""
    passed = sum(map(int, CMOCKA_PASSED.findall(text))) + len(TAP_PASSED.findall(text))
    failed = sum(map(int, CMOCKA_FAILED.findall(text))) + len(TAP_FAILED.findall(text))
    return passed, failed


def of_program(text):
    """One program: its last closing line is its total."""
    found = closings(text)
    return found[-1] if found else details(text)


def of_part(text):
    """One part of the gate: a sum, for a part may run several programs one after another."""
    found = closings(text)
    if not found:
        return details(text)
    return sum(p for p, _ in found), sum(f for _, f in found)


def verdict(text, status, count, must_test=True):
    """(passed, failed): an exit status that contradicts the count is a failure of its own, and so
    is running no test at all."""
    passed, failed = count(text)
    if status != 0 and failed == 0:
        failed = 1
    if must_test and passed + failed == 0:
        failed = 1
    return passed, failed
