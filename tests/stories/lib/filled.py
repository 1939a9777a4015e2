"""The filled books of tests/fixtures/, one for each schema that was ever released.

facts() tells of a book what no migration may change, by plain queries that every schema since 1
understands; a release that makes one of them impossible brings a reader of its own.
"""
import gzip
import json
import os
import shutil

from kop import ROOT

FOLDER = os.path.join(ROOT, "tests/fixtures")
TABLES = ("owner", "movement", "lot", "counter", "receipt", "returned", "member", "person",
          "directory", "claim", "tenant", "programme", "programme_version", "api_key")


class Fixture:
    def __init__(self, name):
        self.folder, self.schema = os.path.join(FOLDER, name), int(name.split("-")[1])
        with open(f"{self.folder}/must.json", encoding="utf-8") as file:
            self.must = json.load(file)

    def copy(self, path):
        """An own copy of it, with its key file."""
        with gzip.open(f"{self.folder}/book.db.gz") as packed, open(path, "wb") as out:
            shutil.copyfileobj(packed, out)
        shutil.copyfile(f"{self.folder}/book.db.key", path + ".key")
        for end in ("", ".key"):
            os.chmod(path + end, 0o600)


def fixtures():
    """Oldest first."""
    names = [name for name in os.listdir(FOLDER) if name.startswith("schema-")]
    return sorted((Fixture(name) for name in names), key=lambda fixture: fixture.schema)


def facts(book):
    """Schema, rows of each table, balances: what went in less what went out, by both sides."""
    balances = {}
    for owner, account, contra, currency, amount in book.ask(
            "SELECT owner_id, account, contra, currency, amount FROM movement"):
        for side, change in ((account, amount), (contra, -amount)):
            name = f"{owner} {currency} {side}"
            balances[name] = balances.get(name, 0) + change
    return {"schema": int(book.ask("SELECT value FROM meta WHERE name = 'schema_version'")[0][0]),
            "rows": {table: book.ask(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES},
            "kinds": {str(kind): count for kind, count in book.ask(
                "SELECT kind, count(*) FROM receipt GROUP BY kind ORDER BY kind")},
            "balances": {name: value for name, value in sorted(balances.items()) if value}}
