#!/usr/bin/env python3
"""Writes expect.txt: what Python's zoneinfo says of a few places, for tests/unit/core/test_zone.c.

usage: python3 tests/tables/zone/generate.py > tests/tables/zone/expect.txt

zone NAME                            the rows below are of this zone of the system's
rule TEXT                            the rows below are of a zone that has this rule and no table
at UTC local DATE TIME               local time of an instant
wall DATE TIME utc UTC               instant of a local time: in an overlap the first, in a gap the
                                     first instant after it (found by bisection, not by arithmetic)
"""
import datetime as dt
import io
import struct
import zoneinfo

UTC = dt.timezone.utc
SECOND = dt.timedelta(seconds=1)
# zone, years whose transitions are looked at closely; those after 2037 come from the rule
PLACES = [
    ("Europe/Moscow", [1919, 1991, 2010, 2011, 2014]),
    ("Europe/Berlin", [1945, 1980, 2026, 2043]),
    ("America/New_York", [1918, 2007, 2026, 2087]),
    ("Australia/Lord_Howe", [1981, 2026, 2050]),
    ("Asia/Kathmandu", [1985]),
    ("Pacific/Apia", [2010, 2011, 2012]),
    ("UTC", []),
]
# rules alone: southern, negative summer time, hours beyond a day, before midnight, no leap day,
# summer time all the year round (days counted from 0 are in test_zone.c: Python is one off there)
RULES = [
    ("MSK-3", []),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", [2026]),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", [2026]),
    ("IST-2IDT,M3.4.4/26,M10.5.0", [2026, 2028]),
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", [2027]),
    ("AAA0BBB,J60/0,J300", [2027, 2028]),
    ("XXX3EDT4,0/0,J365/23", [2027]),
]
FORM = "%Y-%m-%d %H:%M:%S"


def utc(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def offset(zone, instant):
    return instant.astimezone(zone).utcoffset()


def transitions(zone, year):
    """The first instants of each new offset within a year."""
    step = dt.timedelta(hours=6)
    at = dt.datetime(year, 1, 1, tzinfo=UTC)
    found = []
    while at.year == year:
        low, high = at, at + step
        if offset(zone, low) != offset(zone, high):
            while high - low > SECOND:
                middle = low + dt.timedelta(seconds=(high - low) // SECOND // 2)
                if offset(zone, middle) == offset(zone, low):
                    low = middle
                else:
                    high = middle
            found.append(high)
        at += step
    return found


def first_instant(zone, wall, around):
    """The first second whose local time is at least `wall`; `around` are transitions."""
    begin = wall.replace(tzinfo=UTC) - dt.timedelta(days=3)
    final = wall.replace(tzinfo=UTC) + dt.timedelta(days=3)
    for end in [t for t in sorted(around) if begin < t < final] + [final]:
        last = end - SECOND
        if last.astimezone(zone).replace(tzinfo=None) >= wall:
            candidate = (wall - offset(zone, last)).replace(tzinfo=UTC)
            return max(candidate, begin)
        begin = end
    raise ValueError(wall)


def at_row(zone, instant):
    print("at", utc(instant), "local", instant.astimezone(zone).strftime(FORM))


def wall_row(zone, wall, around):
    instant = first_instant(zone, wall, around)
    back = instant.astimezone(zone).replace(tzinfo=None)
    assert back >= wall
    print("wall", wall.strftime(FORM), "utc", utc(instant))


def zone_of_rule(rule):
    header = b"TZif" + b"3" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    data = header + block + header + block + b"\n" + rule.encode() + b"\n"
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(data))


def main():
    print("# Written by generate.py from Python's zoneinfo; see there for the form of a row.")
    places = [("zone", name, zoneinfo.ZoneInfo(name), years) for name, years in PLACES]
    places += [("rule", rule, zone_of_rule(rule), years) for rule, years in RULES]
    for word, name, zone, years in places:
        print(word, name)
        for year in years:
            around = transitions(zone, year)
            for t in around:
                at_row(zone, t - SECOND)
                at_row(zone, t)
                before = (t + offset(zone, t - SECOND)).replace(tzinfo=None)
                after = (t + offset(zone, t)).replace(tzinfo=None)
                low, high = min(before, after), max(before, after)
                for wall in (low - SECOND, low, low + (high - low) / 2, high - SECOND, high):
                    wall_row(zone, wall.replace(microsecond=0), around)
                wall_row(zone, low.replace(hour=0, minute=0, second=0), around)
        for year in range(1905, 2100, 13):
            instant = dt.datetime(year, 1 + year % 12, 1 + year % 28, year % 24, 7, 9, tzinfo=UTC)
            at_row(zone, instant)


main()
