"""Where a story's book lies: a SQLite file, or a PostgreSQL of the story's own.

A story that opens its book here is told over both stores; STORY_STORE chooses (`sqlite`, which is
the default, or `postgresql`).
"""
import contextlib
import os
import shutil
import sqlite3
import sys

from pg import Postgres

STORE = os.environ.get("STORY_STORE", "sqlite")


class FileBook:
    """`words` name the book to the program; what its server says as an error is in `path`.errors."""

    concurrent = False  # may two servers serve it?

    def __init__(self, path):
        self.path = path
        self.words = ("--db", path)

    def ask(self, sql):
        """The rows of a query that both stores understand."""
        with contextlib.closing(sqlite3.connect(self.path)) as book:
            return book.execute(sql).fetchall()

    def keep(self, folder):
        """A copy for who looks into a failure; a file's lies in the story's folder anyway."""

    def drop(self):
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.path + end):
                os.remove(self.path + end)


class PostgresBook:
    """The same in a database; `server` may be killed and started."""

    concurrent = True

    def __init__(self, path, server, name="postgres"):
        self.path, self.server, self.name = path, server, name
        self.words = ("--store", server.url(name), "--key-file", path + ".key")

    def ask(self, sql):
        return [tuple(int(cell) if cell.lstrip("-").isdigit() else cell
                      for cell in line.split("|"))
                for line in self.server.ask(sql, self.name).splitlines()]

    def keep(self, folder):
        shutil.copytree(f"{self.server.folder}/data", f"{folder}/data")
        shutil.copy(f"{self.server.folder}/log", folder)

    def drop(self):
        self.server.end()


def open_book(story, name, store=STORE):
    """A new book, not made yet."""
    path = story.path(name + ".db")
    if store == "sqlite":
        return FileBook(path)
    if store != "postgresql":
        sys.exit(f"STORY_STORE is sqlite or postgresql, not {store}")
    return PostgresBook(path, Postgres())
