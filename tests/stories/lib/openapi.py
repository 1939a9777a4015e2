"""docs/openapi.yaml for stories: a reader of the YAML that it uses, and a check of values by schema.

Reads block and flow mappings and sequences, plain, quoted and | scalars, comments: no anchors, no
tags, no folded scalars. Checks the parts of JSON Schema that the document uses and refuses others,
so that nothing is passed over in silence. Standard library only.
"""
import re

PLAIN = {"true": True, "false": False, "null": None}


class Reader:
    """A document of lines with fixed indents."""

    def __init__(self, text):
        self.lines = []
        for line in text.split("\n"):
            bare = line.strip()
            if not bare or bare.startswith("#"):
                bare = ""
            self.lines.append((len(line) - len(line.lstrip()), bare, line))
        self.at = 0

    def skip_blank(self):
        while self.at < len(self.lines) and not self.lines[self.at][1]:
            self.at += 1

    def block(self, indent):
        """The mapping or sequence whose lines stand at `indent`."""
        self.skip_blank()
        out = [] if self.lines[self.at][1].startswith("- ") else {}
        while True:
            self.skip_blank()
            if self.at == len(self.lines) or self.lines[self.at][0] < indent:
                return out
            here, bare, _ = self.lines[self.at]
            if here != indent:
                raise ValueError(f"line {self.at + 1}: an indent of {here}, not {indent}")
            if isinstance(out, list):
                self.lines[self.at] = (indent + 2, bare[2:], "")
                if re.match(r'("[^"]*"|[^\s{\["][^:]*):( |$)', bare[2:]):
                    out.append(self.block(indent + 2))
                else:
                    self.at += 1
                    out.append(Flow(bare[2:]).whole())
                continue
            match = re.match(r'("[^"]*"|[^\s:][^:]*):(?: (.*))?$', bare)
            if not match:
                raise ValueError(f"line {self.at + 1}: no key: {bare}")
            key, value = match[1].strip('"'), (match[2] or "").strip()
            if key in out:
                raise ValueError(f"line {self.at + 1}: {key} twice")
            self.at += 1
            out[key] = self.value(indent, value)

    def value(self, indent, value):
        if value == "|":
            text = []
            while self.at < len(self.lines) and (not self.lines[self.at][2].strip() or
                                                 self.lines[self.at][0] > indent):
                text.append(self.lines[self.at][2].strip())
                self.at += 1
            return "\n".join(text).strip() + "\n"
        if value:
            return Flow(value).whole()
        self.skip_blank()
        return self.block(self.lines[self.at][0])


class Flow:
    """A value on one line: {a: b}, [a, b], a quoted or a plain scalar."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def whole(self):
        if self.text[0] not in "{[\"":
            return scalar(self.text)
        value = self.one("")
        if self.text[self.at:].strip():
            raise ValueError(f"after the value: {self.text[self.at:]!r}")
        return value

    def blanks(self):
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def one(self, ends):
        self.blanks()
        head = self.text[self.at]
        if head == '"':
            match = re.compile(r'"((?:[^"\\]|\\.)*)"').match(self.text, self.at)
            self.at = match.end()
            return re.sub(r"\\(.)", r"\1", match[1])
        if head == "[":
            return self.items("]", lambda out: out.append(self.one(",]")), [])
        if head == "{":
            return self.items("}", self.pair, {})
        match = re.compile(f"[^{re.escape(ends)}]*").match(self.text, self.at)
        self.at = match.end()
        return scalar(match[0].strip())

    def pair(self, out):
        self.blanks()
        key = self.one(":")
        self.blanks()
        if self.text[self.at] != ":":
            raise ValueError(f"no colon in {self.text!r}")
        self.at += 1
        out[key] = self.one(",}")

    def items(self, end, take, out):
        self.at += 1
        while True:
            self.blanks()
            if self.text[self.at] == end:
                self.at += 1
                return out
            take(out)
            self.blanks()
            if self.text[self.at] == ",":
                self.at += 1


def scalar(text):
    if text in PLAIN:
        return PLAIN[text]
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def load(path):
    with open(path, encoding="utf-8") as file:
        return Reader(file.read()).block(0)


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
IGNORED = {"description", "default", "examples", "format"}


class Checker:
    """Values against schemas of the document. errors() gives ["where: what"]."""

    def __init__(self, document):
        self.document = document

    def follow(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            extra = {k: v for k, v in node.items() if k != "$ref"}
            node = dict(target, **extra) if "$ref" not in target else {**target, **extra}
        return node

    def properties(self, schema):
        """Every property that the schema and its parts know."""
        schema = self.follow(schema)
        known = dict(schema.get("properties", {}))
        for part in schema.get("allOf", ()):
            known = {**self.properties(part), **known}
        return known

    def errors(self, value, schema, where=""):
        schema = self.follow(schema)
        out = self.check_type(value, schema["type"], schema, where) if "type" in schema else []
        if out:
            return out
        for word, rule in schema.items():
            if word not in IGNORED:
                out += getattr(self, "check_" + word)(value, rule, schema, where)
        return out

    def check_type(self, value, rule, _, where):
        for name in rule if isinstance(rule, list) else [rule]:
            if name == "integer" and isinstance(value, int) and not isinstance(value, bool):
                return []
            if name == "number" and isinstance(value, (int, float)) and \
                    not isinstance(value, bool):
                return []
            if name in TYPES and isinstance(value, TYPES[name]):
                return []
        return [f"{where}: {value!r} is no {rule}"]

    def check_required(self, value, rule, _, where):
        return [f"{where}/{name}: missing" for name in rule if name not in value]

    def check_properties(self, value, rule, _, where):
        return [error for name, schema in rule.items() if isinstance(value, dict) and name in value
                for error in self.errors(value[name], schema, f"{where}/{name}")]

    def check_additionalProperties(self, value, rule, schema, where):
        others = [name for name in value if name not in schema.get("properties", {})]
        if rule is False:
            return [f"{where}/{name}: not known" for name in others]
        return [error for name in others
                for error in self.errors(value[name], rule, f"{where}/{name}")]

    def check_unevaluatedProperties(self, value, rule, schema, where):
        assert rule is False
        known = self.properties(schema)
        return [f"{where}/{name}: not known" for name in value if name not in known]

    def check_items(self, value, rule, _, where):
        return [error for i, item in enumerate(value)
                for error in self.errors(item, rule, f"{where}/{i}")]

    def check_allOf(self, value, rule, _, where):
        return [error for part in rule for error in self.errors(value, part, where)]

    def check_oneOf(self, value, rule, _, where):
        good = sum(not self.errors(value, part, where) for part in rule)
        return [] if good == 1 else [f"{where}: {good} of the forms fit"]

    def check_anyOf(self, value, rule, _, where):
        return [] if any(not self.errors(value, part, where) for part in rule) else \
            [f"{where}: none of the forms fits"]

    def check_enum(self, value, rule, _, where):
        return [] if value in rule else [f"{where}: {value!r} is none of {rule}"]

    def check_const(self, value, rule, _, where):
        return [] if value == rule else [f"{where}: {value!r} is not {rule!r}"]

    def check_pattern(self, value, rule, _, where):
        return [] if re.search(rule, value) else [f"{where}: {value!r} does not match"]

    def check_minimum(self, value, rule, _, where):
        return [] if value >= rule else [f"{where}: less than {rule}"]

    def check_maximum(self, value, rule, _, where):
        return [] if value <= rule else [f"{where}: more than {rule}"]

    def check_minLength(self, value, rule, _, where):
        return [] if len(value) >= rule else [f"{where}: shorter than {rule}"]

    def check_maxLength(self, value, rule, _, where):
        return [] if len(value) <= rule else [f"{where}: longer than {rule}"]

    check_minItems, check_maxItems = check_minLength, check_maxLength

    def check_maxProperties(self, value, rule, schema, where):
        return self.check_maxLength(value, rule, schema, where)

    def check_uniqueItems(self, value, rule, _, where):
        return [] if len(value) == len({repr(item) for item in value}) else [f"{where}: twice"]
