#!/usr/bin/env python3
"""Checks an evidence folder offline: python3 check.py DIR --key KEY

KEY is the log's key as `solvent init` printed it (`name+id+base64`), or a file that holds it. Get it from
somewhere other than the folder. Exit 0: sound. 1: not sound, every fault on a line. 2: wrong usage.

Python 3.8 or newer and its standard library; nothing is fetched and nothing is written. Checked are:
  the checkpoint's signature (C2SP signed-note, Ed25519 of RFC 8032, written out below);
  that each record is canonical and in the log under that checkpoint (RFC 6962, C2SP tlog-proof);
  that each opened object is what a record commits to (HMAC-SHA-256 under its salt);
  that each value in evidence.json stands where it says (RFC 6901);
  that approvals are signed (SSH signatures; Ed25519 keys are checked, others are named as unchecked);
  that the manifest over all files is the one that the export's own record commits to.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import stat
import struct
import sys

MAX_FILES, MAX_FILE, MAX_RECORD, MAX_JSON, MAX_NOTE = 20000, 256 << 20, 65535, 16 << 20, 16384
MAX_TEXT, MAX_SAFE = 4 << 20, 2 ** 53 - 1


class Bad(Exception):
    """What is wrong with something, in words."""


# Ed25519 (RFC 8032, 5.1), verification only. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2 ** 255 - 19
ORDER = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(a, b):
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    k = 2 * a[3] * b[3] * D % P
    z = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, z - k, z + k, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def decompress(text):
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2 ** 255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def ed25519(public, message, signature):
    """Whether the signature is that of the key over the message."""
    if len(public) != 32 or len(signature) != 64:
        return False
    point, s = decompress(public), int.from_bytes(signature[32:], "little")
    # A point of small order would sign anything.
    if point is None or s >= ORDER or compress(times(8, point)) == compress((0, 1, 1, 0)):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    minus = (P - point[0], point[1], 1, P - point[3])
    return compress(add(times(s, BASE), times(h, minus))) == signature[:32]


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def unbase64(text):
    """Bytes of standard base64 in its one spelling."""
    try:
        out = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    same = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return out if base64.b64encode(out) == same else None


# The log: keys, checkpoints, proofs.


class Key:
    """A verifier's key of C2SP signed-note: name+id+base64(1, 32 bytes)."""

    def __init__(self, text):
        self.text = text.strip()
        parts = self.text.split("+", 2)
        blob = unbase64(parts[2]) if len(parts) == 3 else None
        if blob is None or len(blob) != 33 or blob[0] != 1 or not parts[0]:
            raise Bad("this is not a ledger key")
        self.name, self.public = parts[0], blob[1:]
        self.id = hashlib.sha256(parts[0].encode() + b"\n" + blob).digest()[:4]
        if self.id.hex() != parts[1]:
            raise Bad("this is not a ledger key: its id is another")
        # Every proof repeats the checkpoint; a signature is checked once.
        self.opened = {}

    def open(self, note):
        """Size and root of a signed checkpoint."""
        if note not in self.opened:
            self.opened[note] = self.open_anew(note)
        return self.opened[note]

    def open_anew(self, note):
        try:
            text = note.decode("utf-8")
        except UnicodeDecodeError:
            raise Bad("not a signed checkpoint")
        body, middle, tail = text.partition("\n\n")
        body += "\n"
        prefix = "\u2014 " + self.name + " "
        if not middle or not tail.startswith(prefix) or tail.count("\n") != 1 or tail[-1] != "\n":
            raise Bad("not signed by the key of `%s` alone" % self.name)
        blob = unbase64(tail[len(prefix):-1])
        if blob is None or blob[:4] != self.id or not ed25519(self.public, body.encode(), blob[4:]):
            raise Bad("not signed by the key of `%s`" % self.name)
        lines = body.split("\n")[:-1]
        if len(lines) not in (3, 4) or lines[0] != self.name or not number(lines[1]):
            raise Bad("signed text is not a checkpoint of this log")
        size, root = int(lines[1]), unbase64(lines[2])
        if root is None or len(root) != 32:
            raise Bad("checkpoint has no root")
        if len(lines) == 4:
            before = lines[3][len("previous "):]
            if not lines[3].startswith("previous ") or not number(before) or not 0 < int(before) < size:
                raise Bad("checkpoint has an unknown extension")
        return size, root


def number(text):
    return re.fullmatch(r"0|[1-9][0-9]{0,18}", text) is not None


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def climb(path, low, high, index, below):
    """Root of the subtree over [low, high) that the proof implies (RFC 6962, 2.1.1)."""
    if low + 1 == high:
        if path:
            raise Bad("proof is too long")
        return below
    if not path:
        raise Bad("proof is too short")
    split = 1 << (high - low - 1).bit_length() - 1
    if index < low + split:
        return node(climb(path[:-1], low, low + split, index, below), path[-1])
    return node(path[-1], climb(path[:-1], low + split, high, index, below))


def check_proof(key, record, proof):
    """Index and checkpoint that the proof shows the record under."""
    try:
        text = proof.decode("utf-8")
    except UnicodeDecodeError:
        raise Bad("proof is not text")
    head, middle, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not middle or len(lines) < 2 or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Bad("not a tlog-proof")
    if not lines[1].startswith("index ") or not number(lines[1][6:]):
        raise Bad("proof has no index")
    index, path = int(lines[1][6:]), [unbase64(line) for line in lines[2:]]
    if len(path) > 64 or any(hash is None or len(hash) != 32 for hash in path):
        raise Bad("proof holds a line that is no hash")
    size, root = key.open(checkpoint.encode())
    if index >= size:
        raise Bad("record %d is not below the checkpoint's size %d" % (index, size))
    if climb(path, 0, size, index, leaf(record)) != root:
        raise Bad("the record is not the one in the log")
    return index, checkpoint.encode()


# Records: canonical JSON (RFC 8785, integers only) of a closed shape.


def refuse(what):
    def refused(_):
        raise Bad(what)

    return refused


def distinct(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise Bad("a key is repeated")
    return dict(pairs)


def read_json(data, strict=False):
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=distinct if strict else None,
            parse_constant=refuse("a number that is none"),
            parse_float=refuse("a fraction") if strict else None,
        )
    except (ValueError, RecursionError):
        raise Bad("not JSON")


def canonical(value):
    def order(value):
        if isinstance(value, dict):
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return {key: order(value[key]) for key in keys}
        return [order(item) for item in value] if isinstance(value, list) else value

    try:
        return json.dumps(order(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise Bad("holds half a character")


COMMITMENT = re.compile(r"hmac-sha256:[0-9a-f]{64}")


def text(value, least, most):
    return isinstance(value, str) and least <= len(value.encode("utf-8", "replace")) <= most


def word(value):
    return text(value, 1, 256)


def long(value):
    return text(value, 0, 4096)


def whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SAFE


def index_of(value):
    return whole(value) and value >= 0


def one_of(*words):
    return lambda value: isinstance(value, str) and value in words


def shape(**fields):
    """A map with these fields; a name that ends in `_` may be missing."""
    needed = {name for name in fields if not name.endswith("_")}
    rules = {name.rstrip("_"): rule for name, rule in fields.items()}

    def fits(value):
        return (
            isinstance(value, dict)
            and needed <= value.keys() <= rules.keys()
            and all(rules[name](item) for name, item in value.items())
        )

    return fits


def some(rule, least=1):
    """A list; one that would be empty is left out of a record."""
    return lambda value: isinstance(value, list) and least <= len(value) <= 256 and all(map(rule, value))


ITEM = shape(commitment=lambda v: isinstance(v, str) and COMMITMENT.fullmatch(v) is not None, name=word)
RECORD = shape(
    action=word,
    actor=shape(id=word, kind=one_of("human", "agent", "worker", "system"), on_behalf_of_=word),
    clock_ms_=whole,
    decision_=shape(answer=one_of("allow", "refuse"), errors_=some(long), policy=long, rules=some(long, 0)),
    inputs_=some(ITEM),
    intent_=index_of,
    links_=some(shape(rel=word, to=long)),
    outputs_=some(ITEM),
    phase=one_of("intent", "result"),
    seq=index_of,
    status_=one_of("done", "partial", "failed", "cancelled", "unknown"),
    target=long,
    time_ms=whole,
    v=lambda value: whole(value) and value == 1,
)


def read_record(data):
    record = read_json(data, strict=True)
    if not RECORD(record):
        raise Bad("not a record")
    result = record["phase"] == "result"
    if ("intent" in record, "status" in record) != (result, result):
        raise Bad("`intent` and `status` belong to a result, both or neither")
    if result and record["intent"] >= record["seq"]:
        raise Bad("answers an intent that is not before it")
    if canonical(record) != data:
        raise Bad("record is not in canonical form")
    return record


def is_export(record):
    outputs = record.get("outputs", [])
    return record["action"] == "evidence" and any(o["name"] == "evidence-manifest" for o in outputs)


def record_line(record, why):
    actor = record["actor"]
    name = actor["kind"] + ":" + actor["id"]
    if "on_behalf_of" in actor:
        name += " for " + actor["on_behalf_of"]
    refused = record.get("decision", {}).get("answer") == "refuse"
    phase = record.get("status") or ("refused" if refused else "intent")
    return {
        "index": record["seq"], "time_ms": record["time_ms"], "actor": name, "action": record["action"],
        "target": record["target"], "phase": phase, "why": why,
    }


# Approvals: SSH signatures (PROTOCOL.sshsig).


def ssh_string(blob):
    if len(blob) < 4 or len(blob) - 4 < struct.unpack(">I", blob[:4])[0]:
        raise Bad("signature is cut short")
    end = 4 + struct.unpack(">I", blob[:4])[0]
    return blob[4:end], blob[end:]


def packed(data):
    return struct.pack(">I", len(data)) + data


def check_approval(line, statement, armour, key):
    """None when the signature holds, else the sort of key that cannot be checked here."""
    parts = key.split(" ")
    blob = unbase64(parts[1]) if len(parts) >= 2 else None
    if blob is None:
        raise Bad("not a public key in OpenSSH's form")
    print_of = "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    if print_of != line["key"]:
        raise Bad("the key is not the one that evidence.json names")
    if ("\napprover: %s\n" % line["person"]) not in statement:
        raise Bad("the statement is of another person")
    body = armour.strip().split("\n")
    if body[0] != "-----BEGIN SSH SIGNATURE-----" or body[-1] != "-----END SSH SIGNATURE-----":
        raise Bad("not an SSH signature")
    raw = unbase64("".join(part.strip() for part in body[1:-1]))
    if raw is None or raw[:10] != b"SSHSIG\0\0\0\1":
        raise Bad("not an SSH signature")
    public, rest = ssh_string(raw[10:])
    namespace, rest = ssh_string(rest)
    reserved, rest = ssh_string(rest)
    algorithm, rest = ssh_string(rest)
    signature, rest = ssh_string(rest)
    if public != blob or namespace != b"solvent-approval" or reserved or rest:
        raise Bad("the signature is of another key or was made for something else")
    if algorithm not in (b"sha256", b"sha512"):
        raise Bad("the signature uses an unknown digest")
    digest = hashlib.new(algorithm.decode(), statement.encode()).digest()
    message = b"SSHSIG" + packed(namespace) + packed(reserved) + packed(algorithm) + packed(digest)
    sort, point = ssh_string(public)
    named, inner = ssh_string(signature)
    if named != sort:
        raise Bad("key and signature are of different sorts")
    shown = False
    if sort == b"ssh-ed25519":
        raw, inner = ssh_string(inner)
    elif sort == b"sk-ssh-ed25519@openssh.com":
        raw, inner = ssh_string(inner)
        flags, inner = inner[:5], inner[5:]
        application = ssh_string(ssh_string(point)[1])[0]
        if len(flags) != 5 or not application.startswith(b"ssh:"):
            raise Bad("the token's key was not made for SSH")
        message = hashlib.sha256(application).digest() + flags + hashlib.sha256(message).digest()
        shown = bool(flags[0] & 1)
    else:
        return sort.decode("ascii", "replace")
    if inner or not ed25519(ssh_string(point)[0], message, raw):
        raise Bad("the signature does not fit these bytes")
    if line["presence"] == "shown" and not shown:
        raise Bad("it says that presence was shown, the signature does not")
    return None


# The folder.

TEXT, MAP, LIST = (lambda v: isinstance(v, str)), (lambda v: isinstance(v, dict)), (lambda v: isinstance(v, list))


def every(rule):
    return lambda value: isinstance(value, list) and all(map(rule, value))


def one_key(**rules):
    return lambda value: isinstance(value, dict) and len(value) == 1 and all(
        name in rules and rules[name](item) for name, item in value.items()
    )


NAMED = lambda v: isinstance(v, str) and COMMITMENT.fullmatch(v) is not None
EVIDENCE = shape(
    schema=lambda value: value == "solvent.evidence/v1",
    about=shape(kind=one_of("finding", "change"), id=TEXT, title=TEXT, subject=TEXT, standing=TEXT),
    log=TEXT,
    made_ms=whole,
    made_by=TEXT,
    records=every(shape(index=index_of, time_ms=whole, actor=TEXT, action=TEXT, target=TEXT, phase=TEXT, why=TEXT)),
    objects=every(shape(
        commitment=NAMED, record=index_of, name=TEXT, state=one_of("opened", "sealed", "unreadable"), why=TEXT,
    )),
    sections=every(shape(
        id=TEXT, title=TEXT, answer=one_of("yes", "no", "unmeasured"), word=TEXT, lead=TEXT,
        facts=every(shape(
            label=TEXT, value=lambda value: True,
            at=one_key(record=shape(index=index_of, pointer=TEXT), object=shape(commitment=NAMED, pointer=TEXT)),
        )),
    )),
    approvals=every(shape(
        person=TEXT, key=TEXT, presence=TEXT, commitment=NAMED, statement=TEXT, signature=TEXT, signer=TEXT,
    )),
    excerpts=every(shape(file=TEXT, commitment=NAMED, pointer=TEXT)),
    unknown=every(shape(what=TEXT, why=TEXT)),
)


def pointed(root, pointer):
    """The value at an RFC 6901 pointer; None when there is none."""
    if pointer and not pointer.startswith("/"):
        return None
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, dict) and part in root:
            root = root[part]
        elif isinstance(root, list) and number(part) and int(part) < len(root):
            root = root[int(part)]
        else:
            return None
    return root


def same(held, said):
    """Equality that keeps 1, 1.0, True and "1" apart."""
    return type(held) is type(said) and isinstance(said, (str, bool, int)) and held == said


class Folder:
    def __init__(self, root, key):
        self.root, self.key = root, key
        self.faults, self.unchecked, self.counts = [], [], {}

    def fault(self, place, what):
        self.faults.append("%s: %s" % (place, what))

    def read(self, name, cap):
        path = os.path.join(self.root, *name.split("/"))
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size > cap:
                raise OSError("not a regular file of at most %d bytes" % cap)
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            self.fault(name, "cannot be read: %s" % (error.strerror or error))
            return None

    def walk(self):
        files, folders = set(), [""]
        while folders:
            prefix = folders.pop()
            try:
                entries = sorted(os.scandir(os.path.join(self.root, prefix)), key=lambda entry: entry.name)
            except OSError as error:
                self.fault(prefix or ".", "cannot be listed: %s" % error.strerror)
                continue
            for entry in entries:
                name = prefix + entry.name
                if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", entry.name):
                    self.fault(ascii(name), "has no plain name")
                elif entry.is_file(follow_symlinks=False):
                    files.add(name)
                elif entry.is_dir(follow_symlinks=False) and not prefix:
                    folders.append(name + "/")
                else:
                    self.fault(name, "is neither file nor folder")
                if len(files) > MAX_FILES:
                    self.fault(".", "over %d files" % MAX_FILES)
                    return files
        return files

    def check(self):
        files = self.walk()
        self.counts["files"] = len(files)
        held = self.read("key.pub", MAX_NOTE)
        if held is not None and held != (self.key.text + "\n").encode():
            self.fault("key.pub", "is not the key that was given from outside")
        records = self.records(files)
        listed = self.manifest(files, records)
        if listed is not None:
            self.bound(records, *listed)
        evidence = self.evidence()
        if evidence is not None:
            self.lines(evidence, records)
            opened = self.objects(evidence, records, files)
            self.facts(evidence, records, opened)
            self.excerpts(evidence, opened)
            self.approvals(evidence, opened, files)
            if evidence["log"] != self.key.name:
                self.fault("evidence.json", "names another log than the key's")
        return evidence

    def records(self, files):
        records, checkpoint = {}, self.read("checkpoint", MAX_NOTE)
        if checkpoint is not None:
            try:
                self.counts["log"] = self.key.open(checkpoint)[0]
            except Bad as error:
                self.fault("checkpoint", error)
        for name in sorted(name for name in files if name.startswith("records/")):
            found = re.fullmatch(r"records/([0-9]{8,19})\.json", name)
            if not found or "%08d" % int(found[1]) != found[1]:
                self.fault(name, "is not named as a record")
                continue
            index, proof = int(found[1]), "proofs/%s.tlog-proof" % found[1]
            data = self.read(name, MAX_RECORD)
            shown = self.read(proof, 4096 + MAX_NOTE)
            if data is None or shown is None:
                continue
            try:
                record = read_record(data)
                if record["seq"] != index:
                    raise Bad("carries number %d" % record["seq"])
                place, under = check_proof(self.key, data, shown)
                if place != index:
                    raise Bad("has the proof of record %d" % place)
                if under != checkpoint:
                    raise Bad("leads to another checkpoint")
                records[index] = record
            except Bad as error:
                self.fault(name, error)
        for name in sorted(name for name in files if name.startswith("proofs/")):
            if name.replace("proofs/", "records/").replace(".tlog-proof", ".json") not in files or not name.endswith(".tlog-proof"):
                self.fault(name, "is the proof of no record here")
        for index, record in records.items():
            if "intent" in record and record["intent"] not in records:
                self.fault("record %d" % index, "answers record %d, which is not here" % record["intent"])
        self.counts["records"] = len(records)
        return records

    def manifest(self, files, records):
        data = self.read("manifest.sha256", 4 << 20)
        if data is None:
            return None
        lines, last = {}, ""
        rule = re.compile(r"([0-9a-f]{64})  ((?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)?[A-Za-z0-9_-][A-Za-z0-9._-]*)")
        content = data.decode("ascii", "replace")
        for line in content[:-1].split("\n"):
            found = rule.fullmatch(line)
            if not found or found[2] <= last or not content.endswith("\n"):
                self.fault("manifest.sha256", "is not a sorted list of digests and names")
                return None
            last = found[2]
            lines[last] = found[1]
        for name, digest in lines.items():
            content = self.read(name, MAX_FILE)
            if content is not None and hashlib.sha256(content).hexdigest() != digest:
                self.fault(name, "is not the file that was listed")
        alone = {"manifest.sha256", "manifest.salt", "checkpoint"}
        alone |= {"proofs/%08d.tlog-proof" % index for index in records}
        exports = ["records/%08d.json" % i for i, record in sorted(records.items()) if is_export(record)]
        alone |= set([name for name in exports if name not in lines][:1])
        for name in sorted(files - lines.keys() - alone):
            self.fault(name, "is not in the manifest and shows nothing by itself")
        return data, lines

    def salt(self, name):
        data = self.read(name, 128)
        if data is not None and re.fullmatch(rb"[0-9a-f]{64}\n", data):
            return bytes.fromhex(data[:-1].decode())
        if data is not None:
            self.fault(name, "is not a salt")
        return None

    def bound(self, records, manifest, lines):
        salt = self.salt("manifest.salt")
        if salt is None:
            return
        commitment = "hmac-sha256:" + hmac.new(salt, manifest, "sha256").hexdigest()
        unlisted = [r for i, r in records.items() if "records/%08d.json" % i not in lines]
        if len(unlisted) != 1:
            self.fault("manifest.sha256", "%d records are not listed; one must not be" % len(unlisted))
            return
        named = {"commitment": commitment, "name": "evidence-manifest"} in unlisted[0].get("outputs", [])
        if unlisted[0]["action"] != "evidence" or unlisted[0].get("status") != "done" or not named:
            self.fault("manifest.sha256", "is not what record %d committed to" % unlisted[0]["seq"])

    def evidence(self):
        data = self.read("evidence.json", MAX_JSON)
        if data is None:
            return None
        try:
            evidence = read_json(data, strict=True)
            if EVIDENCE(evidence):
                return evidence
            self.fault("evidence.json", "is not a solvent.evidence/v1")
        except Bad as error:
            self.fault("evidence.json", error)
        return None

    def lines(self, evidence, records):
        told = [line["index"] for line in evidence["records"]]
        for line in evidence["records"]:
            record = records.get(line["index"])
            if record is None or record_line(record, line["why"]) != line:
                self.fault("evidence.json", "what it says of record %d is not so" % line["index"])
        untold = [i for i, record in records.items() if i not in told and not is_export(record)]
        if len(set(told)) != len(told) or untold:
            self.fault("evidence.json", "does not tell each record once")

    def objects(self, evidence, records, files):
        opened, known, expected = {}, set(), set()
        for line in evidence["objects"]:
            name, digits = line["commitment"], line["commitment"][12:]
            record = records.get(line["record"], {})
            items = record.get("inputs", []) + record.get("outputs", [])
            if {"commitment": name, "name": line["name"]} not in items:
                self.fault("evidence.json", "record %d names no `%s` %s" % (line["record"], line["name"], digits[:12]))
            if name in known:
                self.fault("evidence.json", "tells object %s twice" % digits[:12])
            known.add(name)
            if line["state"] != "opened":
                continue
            expected |= {"objects/" + digits, "objects/" + digits + ".salt"}
            content, salt = self.read("objects/" + digits, MAX_FILE), self.salt("objects/" + digits + ".salt")
            if content is None or salt is None:
                continue
            if hmac.new(salt, content, "sha256").hexdigest() != digits:
                self.fault("objects/" + digits, "is not what the record commits to")
                continue
            try:
                opened[name] = read_json(content)
            except Bad:
                pass
        for name in sorted(name for name in files if name.startswith("objects/") and name not in expected):
            self.fault(name, "is not told in evidence.json")
        for index, record in records.items():
            for item in [] if is_export(record) else record.get("inputs", []) + record.get("outputs", []):
                if item["commitment"] not in known:
                    self.fault("evidence.json", "does not tell `%s` of record %d" % (item["name"], index))
        states = [line["state"] for line in evidence["objects"]]
        self.counts["opened"] = states.count("opened")
        self.counts["sealed"] = len(states) - states.count("opened")
        return opened

    def facts(self, evidence, records, opened):
        self.counts["facts"] = 0
        for section in evidence["sections"]:
            for fact in section["facts"]:
                self.counts["facts"] += 1
                (sort, at), = fact["at"].items()
                root = records.get(at["index"]) if sort == "record" else opened.get(at["commitment"])
                if not same(pointed(root, at["pointer"]), fact["value"]):
                    self.fault("evidence.json", "`%s` is not what stands at %s" % (fact["label"], at["pointer"]))

    def excerpts(self, evidence, opened):
        for excerpt in evidence["excerpts"]:
            held = self.read(excerpt["file"], MAX_TEXT)
            said = pointed(opened.get(excerpt["commitment"]), excerpt["pointer"])
            if held is not None and (not isinstance(said, str) or said.encode() != held):
                self.fault(excerpt["file"], "is not the text at %s of its object" % excerpt["pointer"])

    def approvals(self, evidence, opened, files):
        told = set()
        for line in evidence["approvals"]:
            sealed = opened.get(line["commitment"])
            parts = ["statement", "signature", "key", "presence"]
            if not isinstance(sealed, dict) or not all(isinstance(sealed.get(part), str) for part in parts):
                self.fault("evidence.json", "the approval of %s is not opened" % line["person"])
                continue
            statement, armour, key, presence = (sealed[part] for part in parts)
            signer = '%s namespaces="solvent-approval" %s\n' % (line["person"], key)
            for name, wanted in ((line["statement"], statement), (line["signature"], armour), (line["signer"], signer)):
                told.add(name)
                held = self.read(name, MAX_TEXT)
                if held is not None and held != wanted.encode():
                    self.fault(name, "is not that of the sealed approval")
            if presence != line["presence"]:
                self.fault("evidence.json", "what it says of the presence of %s is not so" % line["person"])
            try:
                unchecked = check_approval(line, statement, armour, key)
                if unchecked:
                    self.unchecked.append("%s: keys of the sort %s" % (line["signature"], unchecked))
            except Bad as error:
                self.fault(line["signature"], error)
        self.counts["approvals"] = len(evidence["approvals"])
        for name in sorted(name for name in files if name.startswith("approvals/") and name not in told):
            self.fault(name, "is not told in evidence.json")


def printable(words):
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(words))


def check(root, key):
    """Faults of a folder, for programs: an empty list when it is sound."""
    folder = Folder(root, Key(key))
    folder.check()
    return folder.faults


def main(arguments):
    if len(arguments) == 2 and arguments[0].startswith("--key="):
        arguments = ["--key", arguments[0][6:], arguments[1]]
    if len(arguments) == 2 and arguments[1].startswith("--key="):
        arguments = [arguments[0], "--key", arguments[1][6:]]
    if len(arguments) == 3 and arguments[0] == "--key":
        arguments = [arguments[2], "--key", arguments[1]]
    if len(arguments) != 3 or arguments[1] != "--key":
        print("usage: python3 check.py DIR --key KEY", file=sys.stderr)
        return 2
    root, given = arguments[0], arguments[2]
    try:
        if os.path.isfile(given):
            with open(given, "r", encoding="utf-8") as file:
                given = file.read(MAX_NOTE)
        key = Key(given)
    except (Bad, OSError, UnicodeDecodeError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    if not os.path.isdir(root):
        print("error: %s is not a folder" % ascii(root), file=sys.stderr)
        return 2
    folder = Folder(root, key)
    evidence = folder.check()
    if evidence is not None:
        about = evidence["about"]
        print(printable("Evidence about %s %s: %s" % (about["kind"], about["id"], about["standing"])))
    counts = ["%d %s" % (folder.counts.get(name, 0), name) for name in ("files", "records", "facts", "approvals")]
    print("  checked     " + ", ".join(counts))
    print("  objects     %d opened, %d kept back" % (folder.counts.get("opened", 0), folder.counts.get("sealed", 0)))
    print("  log         %s, %d records at the checkpoint" % (key.name, folder.counts.get("log", 0)))
    for line in folder.unchecked:
        print(printable("  unchecked   signature %s; ask ssh-keygen -Y verify" % line))
    for fault in folder.faults:
        print(printable("  fault       " + fault))
    print("NOT sound: %d faults." % len(folder.faults) if folder.faults else "Sound.")
    return 1 if folder.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
