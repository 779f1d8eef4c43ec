#!/usr/bin/env python3
"""Checks an audit log by an implementation that shares nothing with the service: SM3 of OpenSSL 3 (`hashlib`), SM2 of
the package `gmssl` from PyPI, held against integer arithmetic here.

    audit_check.py [--verifier-key KEY] [--checkpoint FILE]… FILE…   copies of the database file, exports, histories,
                                                              packages of evidence
    audit_check.py [--verifier-key KEY] [--checkpoint FILE]… --each  the same, with names from standard input, one a line
    audit_check.py --vectors DIR                  holds the arithmetic against merkle.json and sm2_verify.json of DIR

Each file is answered with one line of JSON: verdict, findings, what is missing. Exits with 0 where all are valid, 4
where one was tampered with, 5 where one cannot be told; with 2 where it was called wrongly.

Written from the descriptions of the formats (`service/audit`: entry, table, tile, checkpoint, bundle, index, history,
receipt, segment; RFC 6962, 2.1).
How it judges: every hash that is there, in whatever place, is a candidate for its node of the tree. A signed root is
believed; a pair of candidates is believed when the hash over it is a believed one; and so on down to the leaves. SM3
being what it is, nothing false is ever believed, and what cannot be told is a subtree none of whose candidates fit.
Entries are then named by what they are, as signed, and where they stand. Where all is as signed, what the log says of
its index of residents is held against the index that its entries give.
"""

import argparse
import base64
import bisect
import collections
import datetime
import functools
import hashlib
import io
import itertools
import json
import pathlib
import re
import sqlite3
import struct
import sys
import urllib.parse
import zipfile
import zlib

from gmssl import sm2

ANCHOR, WIDTH, HEIGHT = 1024, 256, 8
MAX_ENTRY, MAX_TEXT, MAX_DETAIL = 8 * 1024, 512, 32
MAX_NOTE, MAX_NOTE_LINES, MAX_NAME, MAX_SIGNATURES = 8 * 1024, 32, 128, 16
MAX_PATH, MAX_PROOF, MAX_LAG = 256, 126, 65_536
MAX_FINDINGS = 1000
VERDICTS = {"valid": 0, "tampered": 4, "unverifiable": 5}


# SM3, SM2


def sm3(octets):
    return hashlib.new("sm3", octets).digest()


def leaf_hash(entry):
    return sm3(b"\x00" + entry)


def node_hash(left, right):
    return sm3(b"\x01" + left + right)


P, A, B, N = (int(sm2.default_ecc_table[name], 16) for name in "pabn")
G = tuple(int(sm2.default_ecc_table["g"][at : at + 64], 16) for at in (0, 64))
SIGNER_ID = b"1234567812345678"


def added(one, other):
    """The sum of two points of the curve; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiplied(factor, point):
    result = None
    while factor:
        result = added(result, point) if factor & 1 else result
        point, factor = added(point, point), factor >> 1
    return result


def point_of(octets):
    """The point that 65 octets 04 ‖ X ‖ Y are; None where they are none of the curve."""
    x, y = (int.from_bytes(octets[at : at + 32], "big") for at in (1, 33))
    good = len(octets) == 65 and octets[0] == 4 and x < P and y < P and (y * y - x**3 - A * x - B) % P == 0
    return (x, y) if good else None


@functools.lru_cache(maxsize=None)
def signed(public, text, signature, signer=SIGNER_ID):
    """Whether r ‖ s is the signature of the text (GB/T 32918.2-2016, 7.1). Both implementations have to say so."""
    if len(signature) != 64 or len(signer) > 8191:
        return False
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N) or t == 0:
        return False
    curve = b"".join(number.to_bytes(32, "big") for number in (A, B, *G))
    e = sm3(sm3((len(signer) * 8).to_bytes(2, "big") + signer + curve + public[1:]) + text)
    point = added(multiplied(s, G), multiplied(t, point_of(public)))
    if point is None or (int.from_bytes(e, "big") + point[0]) % N != r:
        return False
    package = sm2.CryptSM2(private_key=None, public_key=public[1:].hex())
    # It takes zeros and fours off the front of what it is given.
    package.public_key = public[1:].hex()
    return bool(package.verify(signature.hex(), e))


# Texts


class Malformed(ValueError):
    """Not of the form."""


def decimal(text):
    """A number below 2^64, without sign and leading zeros."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,19}", text, re.ASCII) or int(text) >> 64:
        raise Malformed(text)
    return int(text)


def plain(text, length=None):
    """The octets of base64, which has one form only."""
    try:
        octets = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Malformed(text) from error
    if base64.b64encode(octets).decode() != text or (length or len(octets)) != len(octets):
        raise Malformed(text)
    return octets


def is_name(text):
    return 0 < len(text.encode()) <= MAX_NAME and not re.search(r"[\s\x00-\x1f\x7f-\x9f+]", text)


class Key:
    """Verifier key: name+id+base64."""

    KIND = b"\xff" + b"healthcard.v1/SM2-SM3"

    def __init__(self, text):
        name, number, key = (text.split("+", 2) + ["", ""])[:3]
        key = plain(key)
        self.name, self.id, self.public = name, sm3(name.encode() + b"\n" + key)[:4], key[len(self.KIND) :]
        if not is_name(name) or not key.startswith(self.KIND) or not point_of(self.public) or number != self.id.hex():
            raise Malformed(text)

    def reads(self, note):
        """Size and root of a checkpoint of this log, if this key signed the note; None where it did not. Whatever else
        is wrong with it, is malformed."""
        text, signatures = taken_apart(note)
        own = [value for name, number, value in signatures if (name, number) == (self.name, self.id)]
        if not own:
            return None
        if not all(signed(self.public, text.encode(), value) for value in own):
            raise Malformed("a wrong signature")
        lines = text.split("\n")
        if len(lines) != 4 or lines[0] != self.name:
            raise Malformed("no checkpoint of this log")
        return decimal(lines[1]), plain(lines[2], 32)

    def succeeded(self, note):
        """Whether a later key of the log signed above this one."""
        names = [number for name, number, _ in taken_apart(note)[1] if name == self.name]
        return names[:1] != [self.id]


def taken_apart(note):
    """Text of a signed note, and the names, identifiers and values of its signatures."""
    if len(note.encode()) > MAX_NOTE or not note.endswith("\n") or re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", note):
        raise Malformed("not a note")
    text, found, below = note.rpartition("\n\n")
    lines = below.split("\n")[:-1]
    if not found or not 0 < len(lines) <= MAX_SIGNATURES:
        raise Malformed("a note without signatures")
    signatures = []
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not is_name(parts[1]):
            raise Malformed("not a line of a signature")
        value = plain(parts[2])
        if len(value) < 5:
            raise Malformed("a signature without a value")
        signatures.append((parts[1], value[:4], value[4:]))
    return text + "\n", signatures


# Entries

ACTOR = ("identity", "certificate", "role", "institution", "address")
FIELDS = ("v", "id", "at", "action", "outcome", "actor", "resident", "visit", "purpose", "policy", "object", "detail")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)\.(\d{6})Z", re.ASCII)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def microseconds(text):
    found = INSTANT.fullmatch(text)
    if not found:
        raise Malformed(text)
    year, month, day, hour, minute, second, fraction = map(int, found.groups())
    # The calendar repeats itself every 400 years, and that of Python has no year 0.
    later = 400 if year < 400 else 0
    days = datetime.date(year + later, month, day).toordinal() - (146_097 if later else 0)
    days -= datetime.date(1970, 1, 1).toordinal()
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction


def words(value, names, needed=()):
    """An object of texts, with these names and no others."""
    if not isinstance(value, dict) or not set(needed) <= value.keys() or not value.keys() <= set(names):
        raise Malformed("fields")
    for text in value.values():
        if not isinstance(text, str) or not 0 < len(text.encode()) <= MAX_TEXT or CONTROL.search(text):
            raise Malformed("text")
    return {name: value[name] for name in names if name in value}


def read_entry(octets):
    """The fields of an entry; malformed where the octets are not its one form."""
    try:
        if len(octets) > MAX_ENTRY:
            raise Malformed("too long")
        read = json.loads(octets.decode())
        if not isinstance(read, dict) or not read.keys() <= set(FIELDS) or not set(FIELDS[:5]) <= read.keys():
            raise Malformed("fields")
        texts = {name: read[name] for name in FIELDS[6:9] if name in read}
        nested = {
            "actor": words(read.get("actor", {}), ACTOR),
            "policy": words(read["policy"], ("hash", "rule"), ("hash", "rule")) if "policy" in read else {},
            "object": words(read["object"], ("kind", "id"), ("kind", "id")) if "object" in read else {},
        }
        detail = read.get("detail", {})
        nested["detail"] = words(detail, sorted(detail))
        words({str(at): key for at, key in enumerate(detail)}, [str(at) for at in range(len(detail))])
        fields = {"v": 1, **{name: read[name] for name in FIELDS[1:5]}, **words(texts, FIELDS[6:9])}
        fields.update({name: value for name, value in nested.items() if value})
        microseconds(fields["at"])
        good = (
            UUID.fullmatch(fields["id"])
            and re.fullmatch(r"[a-z0-9.-]{1,64}", fields["action"], re.ASCII)
            and fields["outcome"] in ("granted", "refused", "failed")
            and len(detail) <= MAX_DETAIL
        )
        ordered = {name: fields[name] for name in FIELDS if name in fields}
        written = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
        if not good or written != octets:
            raise Malformed("not the canonical form")
        return ordered
    except (TypeError, AttributeError, RecursionError, UnicodeError) as error:
        raise Malformed(str(error)) from error


# The tree

CANDIDATES = 32


class Tree:
    """The candidates of each node, and which of them are believed. A node is known by its level and its index."""

    def __init__(self, leaves):
        """`leaves` gives the candidates of each leaf that has any, as a tuple without repetitions."""
        self.candidates = {0: leaves}
        self.given = set()
        self.believed = {}
        self.stuck = []

    def offer(self, level, index, value):
        """One more candidate, to be offered before `grow`."""
        row = self.candidates.setdefault(level, {})
        row[index] = tuple(dict.fromkeys((*row.get(index, ()), value)))
        self.given.add((level, index))

    def grow(self):
        """Works the candidates out from the leaves upwards."""
        level = 0
        while len(self.candidates.get(level, ())) > 1 or max(self.candidates) > level:
            row = self.candidates.setdefault(level, {})
            above = self.candidates.setdefault(level + 1, {})
            for index in {index >> 1 for index in row}:
                pairs = paired(row.get(2 * index, ()), row.get(2 * index + 1, ()))
                if pairs:
                    made = tuple(node_hash(*pair) for pair in pairs)
                    above[index] = tuple(dict.fromkeys((*made, *above[index]))) if index in above else made
            level += 1

    def believe(self, level, index, value):
        """Goes down from a believed node as far as candidates fit."""
        waiting = [(level, index, value)]
        while waiting:
            level, index, value = waiting.pop()
            if (level, index) in self.believed:
                continue
            self.believed[level, index] = value
            if level == 0:
                continue
            row = self.candidates.get(level - 1, {})
            left, right = row.get(2 * index, ()), row.get(2 * index + 1, ())
            if len(left) == len(right) == len(self.candidates[level].get(index, ())) == 1:
                # There is one hash over them, and it is the believed one.
                pair = (left[0], right[0])
                known = self.candidates[level][index][0] == value and (level, index) not in self.given
            else:
                known = False
            if not known:
                pairs = itertools.product(left, right)
                pair = next((pair for pair in pairs if node_hash(*pair) == value), None)
            if pair:
                waiting += [(level - 1, 2 * index, pair[0]), (level - 1, 2 * index + 1, pair[1])]
            elif (level, index) not in self.given or left or right:
                self.stuck.append((index << level, (index + 1) << level))

    def believe_root(self, size, root):
        """Goes down from the root of the first `size` leaves. Answers up to which leaf it came."""
        nodes = subtrees(0, size)
        tails = [()] * len(nodes)
        for at, (level, index) in reversed(list(enumerate(nodes))):
            own = self.candidates.get(level, {}).get(index, ())
            tails[at] = own
            if at + 1 < len(nodes):
                tails[at] = tuple(node_hash(*pair) for pair in paired(own, tails[at + 1]))
        value = root
        for at, (level, index) in enumerate(nodes):
            if at + 1 == len(nodes):
                if at == 0 and not self.fits(level, index, value):
                    # What lies below may be known from elsewhere all the same.
                    self.believed[level, index] = value
                    return index << level
                self.believe(level, index, value)
                return size
            own = self.candidates.get(level, {}).get(index, ())
            pairs = itertools.product(own, tails[at + 1])
            pair = next((pair for pair in pairs if node_hash(*pair) == value), None)
            if not pair:
                return index << level
            self.believe(level, index, pair[0])
            value = pair[1]
        return size

    def fits(self, level, index, value):
        """Whether candidates lead to this value of a node."""
        if level == 0:
            return value in self.candidates[0].get(index, ())
        row = self.candidates.get(level - 1, {})
        pairs = itertools.product(row.get(2 * index, ()), row.get(2 * index + 1, ()))
        return any(node_hash(*pair) == value for pair in pairs)

    def root(self, size):
        """The root over the first leaves by what is believed; None where that does not reach."""
        if size == 0:
            return sm3(b"")
        hashes = [self.believed.get(node) for node in subtrees(0, size)]
        return None if None in hashes else functools.reduce(lambda tail, left: node_hash(left, tail), hashes[::-1])


def paired(left, right):
    """Pairs of candidates, at most so many. Those of one origin come first: they stand in one place on both sides."""
    if len(left) == 1 == len(right):
        return [(left[0], right[0])]
    if not left or not right:
        return []
    longest = max(len(left), len(right))
    same = [(left[min(at, len(left) - 1)], right[min(at, len(right) - 1)]) for at in range(longest)]
    pairs = dict.fromkeys(itertools.chain(same, itertools.product(left, right)))
    return list(pairs)[:CANDIDATES]


def subtrees(begin, end):
    """The complete subtrees that cover these leaves, left to right, as level and index."""
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def root_over(leaf, position, size, proof):
    """The root over `size` leaves that one of them and the hashes beside its way, from the leaf upwards, lead to; None
    for a proof of another length."""
    if size == 1 or not proof:
        return None if proof or size != 1 else leaf
    half = 1 << (size - 1).bit_length() - 1
    if position < half:
        below = root_over(leaf, position, half, proof[:-1])
        return below and node_hash(below, proof[-1])
    below = root_over(leaf, position - half, size - half, proof[:-1])
    return below and node_hash(proof[-1], below)


# The index of residents

NOBODY, NO_ENTRY = bytes(32), (0, bytes(32))


def key_of(resident):
    return sm3(b"\x02" + resident.encode())


def counted(standing, position, leaf):
    """A standing, which is a count and a chain, with one more entry."""
    count, chain = standing
    return count + 1, sm3(b"\x03" + chain + position.to_bytes(8, "big") + leaf)


def standing_hash(key, standing):
    count, chain = standing
    return sm3(b"\x04" + key + count.to_bytes(8, "big") + chain)


def fork_hash(left, right):
    return sm3(b"\x05" + left + right)


def index_root(key, standing, path):
    """The root that a standing and the hashes beside its way, from the leaf upwards, lead to."""
    value, bits = standing_hash(key, standing), int.from_bytes(key, "big")
    for depth, beside in zip(reversed(range(len(path))), path):
        value = fork_hash(beside, value) if bits >> 255 - depth & 1 else fork_hash(value, beside)
    return value


class Index:
    """The index as it is defined: over the sorted keys of all residents who occur, each half of a tree is a range. What
    holds no change since the root was asked for last is not computed again. Some have a standing to begin with."""

    def __init__(self, residents, standings=None):
        standings = standings or {}
        self.keys = sorted(set(map(key_of, residents)) | set(standings))
        self.numbers = [int.from_bytes(key, "big") for key in self.keys]
        self.standings = [standings.get(key, NO_ENTRY) for key in self.keys]
        self.changed, self.known = [], {}

    def count(self, resident, position, leaf):
        at = bisect.bisect_left(self.keys, key_of(resident))
        self.standings[at] = counted(self.standings[at], position, leaf)
        self.changed.append(at)

    def root(self):
        self.changed.sort()
        root = self._part(0, len(self.keys), 0)[1]
        self.changed = []
        return root

    def _part(self, begin, end, depth):
        """How many residents stand among these keys, which have their first bits in common, and the hash over them."""
        if end - begin <= 1:
            if begin == end or self.standings[begin] == NO_ENTRY:
                return 0, NOBODY
            return 1, standing_hash(self.keys[begin], self.standings[begin])
        part = (begin, end, depth)
        changes = [bisect.bisect_left(self.changed, at) for at in (begin, end)]
        if part not in self.known or changes[0] < changes[1]:
            ones = (self.numbers[begin] >> 256 - depth << 1 | 1) << 255 - depth
            middle = bisect.bisect_left(self.numbers, ones, begin, end)
            (left, one), (right, other) = self._part(begin, middle, depth + 1), self._part(middle, end, depth + 1)
            several = left + right > 1
            self.known[part] = (left + right, fork_hash(one, other) if several else one if left else other)
        return self.known[part]


def stated(fields, position):
    """The size and root of the index that an entry states; None for one that states nothing, malformed for one that has
    to and does not."""
    if fields["action"] != "resident.history" or fields["outcome"] != "granted":
        return None
    size, root = (fields.get("detail", {}).get(f"index-{name}", "") for name in ("size", "root"))
    if not 0 <= position - decimal(size) <= MAX_LAG or not re.fullmatch(r"[0-9a-f]{64}", root, re.ASCII) or not fields.get("resident"):
        raise Malformed("another statement")
    return int(size), bytes.fromhex(root)


def hash_of(text):
    if not re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII):
        raise Malformed("no hash")
    return bytes.fromhex(text)


Segment = collections.namedtuple("Segment", "first until root index_root")
Step = collections.namedtuple("Step", "kind newest entered_at removal", defaults=(None, None, None))
Removal = collections.namedtuple("Removal", "since months kept closed_at entered_at witness")
CLOSE, ENTER, REJECT, REMOVE = "audit.segment-close", "audit.remove-enter", "audit.remove-review", "audit.segment-remove"
KEPT = (CLOSE, ENTER, REJECT, REMOVE, "key.publish", "key.rotate")
MIN_MONTHS = 6
# Octets with which no two keys of residents begin alike: they are hashes.
SHARED = 16


def segment_of(fields, position):
    """What an entry says of a segment: which, and what becomes of it; None for one that says nothing, malformed for one that
    has to and does not."""
    kind, detail = fields["action"], fields.get("detail", {})
    if kind not in (CLOSE, ENTER, REJECT, REMOVE) or fields["outcome"] != "granted":
        return None

    def number(name):
        return decimal(detail.get(name, ""))

    segment = Segment(number("first"), number("until"), *(hash_of(detail.get(name, "")) for name in ("root", "index-root")))
    if not segment.first < segment.until <= position:
        raise Malformed("no segment")
    if kind == ENTER:
        return segment, Step(ENTER)
    if kind == REJECT:
        if not segment.until <= number("entered-at") < position:
            raise Malformed("rejected at no time")
        return segment, Step(REJECT, entered_at=number("entered-at"))
    since = detail.get("newest" if kind == CLOSE else "since", "")
    microseconds(since)
    if kind == CLOSE:
        if position - segment.until > MAX_LAG:
            raise Malformed("too late")
        return segment, Step(CLOSE, newest=since)
    months, kept, closed_at, entered_at = map(number, ("months", "kept", "closed-at", "entered-at"))
    if not segment.until <= closed_at < entered_at < position:
        raise Malformed("closed and entered at no time")
    if not MIN_MONTHS <= months < 1 << 32 or not months_later(since, months) <= fields["at"]:
        raise Malformed("before its term")
    if kept > segment.until:
        raise Malformed("more kept than there was")
    witness = "signed" if detail.get("witness") == "signed" else "none"
    return segment, Step(REMOVE, removal=Removal(since, months, kept, closed_at, entered_at, witness))


def months_later(instant, months):
    """The same day so many months later; where that month lacks it, the first of the next."""
    count = 12 * int(instant[:4]) + int(instant[5:7]) - 1 + months
    for month, day in (count, instant[8:10]), (count + 1, "01"):
        later = f"{month // 12:04}-{month % 12 + 1:02}-{day}{instant[10:]}"
        try:
            microseconds(later)
        except ValueError:
            continue
        return later
    raise Malformed("no such time")


def hold_statements(entries, findings, begins=0, standings=None):
    """Holds each statement of a log against its entries, which come as position and octets, in order. Those below `begins`
    were removed: what they give is `standings`."""
    about, statements, wrong, newest = [], [], [], {}
    times, gone, begun = collections.deque(), 0, begins
    for position, entry in entries:
        fields = read_entry(entry)
        try:
            segment, step = segment_of(fields, position) or (None, Step(None))
            if step.kind == CLOSE and segment.until >= begins:
                statements.append((segment.until, segment.index_root, position))
            if step.kind == CLOSE and segment.until > begins:
                latest = None
                while times and times[0][0] < segment.until:
                    _, at = times.popleft()
                    latest = max(latest or at, at)
                if latest != step.newest or segment.first != begun:
                    findings.add("segment_wrong", position=position)
                begun = max(begun, segment.until)
            if step.kind == REMOVE:
                gone = max(gone, segment.until)
        except ValueError:
            findings.add("segment_wrong", position=position)
        try:
            statement = stated(fields, position)
        except Malformed:
            wrong.append(position)
            statement = None
        if statement and statement[0] < gone:
            # Of what was removed by then nobody can have stated anything.
            wrong.append(position)
        elif statement and statement[0] < begins:
            # Of which entries it speaks cannot be told any more.
            pass
        elif statement and newest.get(fields["resident"], -1) >= statement[0]:
            # What came between is not in the history that was given out.
            wrong.append(position)
        elif statement:
            statements.append((*statement, position))
        if position >= begins:
            times.append((position, fields["at"]))
        if "resident" in fields and position >= begins:
            newest[fields["resident"]] = position
            about.append((position, fields["resident"], leaf_hash(entry)))
    index = Index({resident for _, resident, _ in about} if statements else (), standings)
    about.reverse()
    for size, root, position in sorted(statements):
        while about and about[-1][0] < size:
            at, resident, leaf = about.pop()
            index.count(resident, at, leaf)
        if index.root() != root:
            wrong.append(position)
    for position in sorted(wrong):
        findings.add("index_wrong", position=position)


# What happened to the entries


class Findings:
    def __init__(self):
        self.found, self.missing = [], []

    def add(self, kind, **facts):
        self.found.append({"kind": kind, **facts})

    def lacks(self, what):
        self.missing.append(what)


class Alignment:
    """Rows, as position and hash by ascending position, beside the leaves as they were signed, or may have been (a
    mapping; None where that is not known)."""

    def __init__(self, leaves, size, rows):
        self.rows = rows
        self.row_of, self.swapped, self.moved, self.altered = {}, [], [], []
        self.missing, self.inserted = [], []
        if len(rows) == size and all(at == position for at, (position, _) in enumerate(rows)):
            if all(leaves.get(at, value) == value for at, (_, value) in enumerate(rows)):
                self.row_of = dict(zip(range(size), range(size)))
                return
        where = {value: leaf for leaf, value in leaves.items()}
        at = {position: row for row, (position, _) in enumerate(rows)}
        own = [position if leaves.get(position) == value else where.get(value) for position, value in rows]
        exchanged = set()
        for row, (position, _) in enumerate(rows):
            other = at.get(own[row]) if own[row] is not None and own[row] != position else None
            if other is not None and own[other] == position and row < other:
                self.swapped.append((position, own[row]))
                exchanged |= {row, other}
                self.row_of.update({own[row]: row, position: other})
        placed = [row for row in range(len(rows)) if own[row] is not None and row not in exchanged]
        kept = increasing([(own[row], row, 3 if own[row] == rows[row][0] else 2) for row in placed])
        kept = list(self._explained(kept))
        self.row_of.update(kept)
        in_order = {row for _, row in kept} | exchanged
        strange = set()
        for row in range(len(rows)):
            if row not in in_order:
                if own[row] is None or own[row] in self.row_of:
                    strange.add(row)
                else:
                    self.row_of[own[row]] = row
                    self.moved.append((rows[row][0], own[row]))
        self._gaps(leaves, size, kept, strange, at)
        self.inserted = sorted(strange)

    def release(self, until):
        """That the leaves below a position need no row, as far as they are the first."""
        missing = sorted(self.missing)
        first = next((at for at, leaf in enumerate(missing) if at != leaf), len(missing))
        self.missing = missing[min(first, until) :]

    def _explained(self, kept):
        """Those that stand where rows before them, removed or inserted, have moved them: between two there are no more
        places without a row than leaves that lost theirs."""
        last_leaf, last_row, last_place = -1, -1, -1
        for leaf, row in kept:
            place = self.rows[row][0]
            holes = (place - last_place) - (row - last_row)
            if holes <= leaf - last_leaf - 1:
                yield leaf, row
                last_leaf, last_row, last_place = leaf, row, place

    def _gaps(self, leaves, size, kept, strange, at):
        """Between rows that are in order: leaves without a row, rows without a leaf. One in the other's place was
        altered."""
        fixed = [(leaf, leaf - self.rows[row][0]) for leaf, row in kept]
        for (begin, shift), (end, next_shift) in itertools.pairwise([(-1, 0), *fixed, (size, None)]):
            for leaf in range(begin + 1, end):
                if leaf in self.row_of:
                    continue
                row = at.get(leaf - shift)
                if row in strange:
                    strange.discard(row)
                    self.row_of[leaf] = row
                    if leaf in leaves:
                        self.altered.append(leaf)
                elif leaf in leaves or next_shift in (shift, None):
                    self.missing.append(leaf)


def increasing(items):
    """A choice of the items whose first numbers ascend, as heavy as can be. An item is a number, what it is of, a
    weight."""
    places = {number: at for at, number in enumerate(sorted({number for number, *_ in items}), 1)}
    # The heaviest choice that ends at most at each place, and its last item (a Fenwick tree).
    best, before = [(0, None)] * (len(places) + 1), []
    for at, (number, _, weight) in enumerate(items):
        place, found = places[number] - 1, (0, None)
        while place:
            found, place = max(found, best[place], key=lambda choice: choice[0]), place & (place - 1)
        before.append(found[1])
        own, place = (found[0] + weight, at), places[number]
        while place <= len(places):
            best[place], place = max(best[place], own, key=lambda choice: choice[0]), place + (place & -place)
    chosen, place, found = [], len(places), (0, None)
    while place:
        found, place = max(found, best[place], key=lambda choice: choice[0]), place & (place - 1)
    at = found[1]
    while at is not None:
        chosen.append(items[at][:2])
        at = before[at]
    return chosen[::-1]


def ranges(numbers):
    """Runs of numbers, as first and the one after the last."""
    for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in run]
        yield run[0], run[-1] + 1


# The database


class Database:
    """The tables of a log."""

    COLUMNS = ("entry_id", "at", "action", "outcome", "actor", "resident", "visit")

    def __init__(self, path):
        # A lone file is read as it lies; what belongs to a file in use is read with it.
        alone = not pathlib.Path(f"{path}-wal").exists()
        uri = f"file:{urllib.parse.quote(str(path))}?mode=ro{'&immutable=1' if alone else ''}"
        self.sql = sqlite3.connect(uri, uri=True, isolation_level=None)
        self.sql.text_factory = bytes
        for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
            self.sql.execute(f"PRAGMA {pragma}")
        self.sql.execute("BEGIN")

    def rows(self):
        yield from self.sql.execute(f"SELECT position, entry, {', '.join(self.COLUMNS)} FROM leaf ORDER BY position")

    def tiles(self):
        return {(level, index): octets(hashes) for level, index, hashes in self.sql.execute("SELECT * FROM tile")}

    def removal(self):
        """The leaf that says last what was removed, as position and octets; None where none does."""
        newest = "SELECT position, entry FROM leaf WHERE action = ? AND outcome = 'granted' ORDER BY position DESC LIMIT 1"
        position, entry = next(self.sql.execute(newest, (REMOVE,)), (-1, None))
        return (position, octets(entry)) if position >= 0 else None

    def kept(self):
        """Entries that are kept of what was removed, and where residents stood then, by key and number of entries. A log
        of an earlier version has no tables of that."""
        tables = {name.lower() for (name,) in self.sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        entries, standings = [], []
        if b"removed_entry" in tables:
            entries = self.sql.execute("SELECT position, entry FROM removed_entry ORDER BY position")
        if b"removed_standing" in tables:
            standings = self.sql.execute("SELECT key, until, count, chain FROM removed_standing ORDER BY key, until")
        return entries, standings

    def checkpoints(self):
        for size, note in self.sql.execute("SELECT size, note FROM checkpoint ORDER BY size"):
            yield size, octets(note).decode(errors="replace")


def octets(value):
    return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()


def is_entry(octets):
    try:
        return bool(read_entry(octets))
    except ValueError:
        return False


def fault(entry, columns):
    """What is wrong with a row besides its hash: the kind of finding, and the column."""
    try:
        fields = read_entry(entry)
    except ValueError:
        return "malformed", {}
    said = (
        fields["id"].encode(),
        microseconds(fields["at"]),
        *(fields[name].encode() for name in ("action", "outcome")),
        *(text and text.encode() for text in (fields.get("actor", {}).get("identity"), fields.get("resident"))),
        fields["visit"].encode() if "visit" in fields else None,
    )
    wrong = next((name for name, own, column in zip(Database.COLUMNS, said, columns) if own != column), None)
    return ("column", {"column": wrong}) if wrong else None


class Checkpoints:
    """What the log's checkpoints prove."""

    def __init__(self, database, key, findings):
        self.roots, self.good, self.claimed = {}, 0, 0
        foreign, stored, succeeded = [], set(), False
        # Whether another key signed what comes after.
        self.succeeded = False
        for size, note in database.checkpoints():
            if size < 0:
                findings.add("stray", position=size)
                continue
            stored.add(size)
            self.claimed = max(self.claimed, size)
            try:
                read = key.reads(note)
            except ValueError:
                findings.add("checkpoint_altered", size=size)
                continue
            if read is None:
                foreign.append(size)
                continue
            self.good += 1
            if read[0] != size:
                # Stored under another size than was signed; it proves what was signed all the same.
                findings.add("checkpoint_altered", size=size)
            elif size >= max(self.roots, default=0):
                succeeded = key.succeeded(note)
            if self.roots.setdefault(*read) != read[1]:
                findings.add("forked", size=read[0])
        self.size = max(self.roots, default=0)
        self.claimed = max(self.claimed, self.size)
        if self.good:
            if succeeded and foreign and foreign[-1] > self.size:
                self.succeeded = True
                findings.lacks(f"a new key of the log took over: this one signed no more than {self.size} entries")
                foreign = [size for size in foreign if size <= self.size]
            for size in foreign:
                findings.add("checkpoint_altered", size=size)
            for size in range(0, self.size + 1, ANCHOR):
                if size not in stored:
                    findings.add("checkpoint_missing", size=size)
        else:
            findings.lacks("no checkpoint is signed by this key" if stored else "the log has no checkpoint")


def check_database(path, key, held):
    findings = Findings()
    database = Database(path)
    checkpoints = Checkpoints(database, key, findings)
    size, told = checkpoints.size, bool(checkpoints.good) and checkpoints.claimed == checkpoints.size

    rows, faults, read = [], {}, 0
    for position, entry, *columns in database.rows():
        if position < 0:
            findings.add("stray", position=position)
            continue
        read += 1
        wrong = fault(octets(entry), columns)
        if wrong:
            faults[len(rows)] = wrong
        rows.append((position, leaf_hash(octets(entry))))
    beyond = bisect.bisect_left(rows, (size, b""))
    later, within = rows[beyond:], rows if told else rows[:beyond]

    tiles = read_tiles(database.tiles(), checkpoints, told, findings)
    lowest = [(WIDTH * index, row) for (level, index), row in tiles.items() if level == 0]
    by_tiles = {begin + at: value for begin, row in lowest for at, value in enumerate(row)}
    assumed = Alignment(by_tiles, size, within).row_of
    leaves = {}
    for leaf in range(size):
        offers = [by_tiles.get(leaf), within[assumed[leaf]][1] if leaf in assumed else None]
        offers = tuple(dict.fromkeys(value for value in offers if value))
        if offers:
            leaves[leaf] = offers
    tree = Tree(leaves)
    for (level, index), row in tiles.items():
        for at, value in enumerate(row if level else ()):
            tree.offer(HEIGHT * level, WIDTH * index + at, value)
    for signed_size, root in checkpoints.roots.items():
        if signed_size and signed_size & (signed_size - 1) == 0:
            tree.offer(signed_size.bit_length() - 1, 0, root)
    tree.grow()
    settle(tree, checkpoints.roots, leaves, findings)

    for (level, index), row in sorted(tiles.items()):
        known = [tree.believed.get((HEIGHT * level, WIDTH * index + at), value) for at, value in enumerate(row)]
        wrong = next((at for at, (own, value) in enumerate(zip(known, row)) if own != value), None)
        if wrong is not None:
            findings.add("tile_altered", level=level, index=index, hash=wrong)
    believed = {leaf: value for leaf in range(size) if (value := tree.believed.get((0, leaf)))}
    kept = Kept(database, believed)
    beyond = kept.newest if checkpoints.succeeded and kept.newest and kept.newest[0] >= size else None
    if beyond:
        # What a later key signed is not there to this one.
        begins = beyond[1].until
        findings.lacks(f"entries below {begins} were removed, as is said under a later key: check with the key that signs now")
    elif checkpoints.good:
        signed_rows = {position for position, value in within if believed.get(position) == value}
        kept.weigh((position, octets(entry)) for position, entry, *_ in database.rows() if position in signed_rows)
        begins = kept.begins()
    else:
        begins = 0
    alignment = Alignment(believed, size, within)
    alignment.release(begins)
    name(alignment, faults, findings)
    hold(held, key, size, checkpoints.roots, tree, findings)
    if checkpoints.good and not beyond:
        kept.hold(tree, findings)
        if not findings.found:
            entries = ((position, octets(entry)) for position, entry, *_ in database.rows())
            entries = itertools.takewhile(lambda row: row[0] < size, entries)
            hold_statements(entries, findings, begins, kept.standings)
    facts = {"entries_checked": read, "size": size, "checkpoints": checkpoints.good}
    facts["removed"] = kept.facts()
    return findings, {**facts, "root": checkpoints.roots[size].hex() if checkpoints.good else None}


class Kept:
    """What is kept of entries that were removed, and what entries that are as signed say of segments."""

    def __init__(self, database, believed):
        # What entries say of segments, by position, None for those that do not say what they have to; when others stand.
        self.newest, self.stated, self.altered = None, {}, False
        self.signed_newest, self.count = None, 0
        leaf = database.removal()
        said = leaf and said_of(*leaf)
        if said and said[1].kind == REMOVE:
            self.newest = (leaf[0], said[0], said[1])
        until = self.begins_at(self.newest)
        entries, standings = database.kept()
        self.standings = self._standings(standings, until)
        last = -1
        for position, entry in entries:
            self.altered |= not self._is_kept(position, octets(entry), last, until, believed)
            if self.altered:
                break
            self.count, last = self.count + 1, position
            self._hear(position, octets(entry))

    @staticmethod
    def begins_at(removal):
        return removal[1].until if removal else 0

    def _standings(self, rows, until):
        """Of each key the last that is not beyond what was removed; others are there for the next removal."""
        standings, last = {}, None
        for key, size, count, chain in rows:
            good = isinstance(key, bytes) and len(key) == 32 and isinstance(size, int) and size > 0
            good = good and (last is None or last < (key, size))
            good = good and (last is None or last[0] == key or last[0][:SHARED] != key[:SHARED])
            if not good or size <= until and not (isinstance(count, int) and count > 0):
                self.altered = True
                return {}
            last = (key, size)
            if size <= until:
                # What is no hash is one of nothing.
                standings[key] = (count, octets(chain) if len(octets(chain)) == 32 else NOBODY)
        return standings

    @staticmethod
    def _is_kept(position, entry, last, until, believed):
        if not isinstance(position, int) or not last < position < until:
            return False
        # What cannot be told was named with its tile.
        if believed.get(position, leaf_hash(entry)) != leaf_hash(entry):
            return False
        try:
            return read_entry(entry)["action"] in KEPT
        except ValueError:
            return False

    def _hear(self, position, entry):
        try:
            self.stated.update({position: said} if (said := said_in(position, entry)) else {})
        except ValueError:
            self.stated[position] = None

    def weigh(self, entries):
        """Holds what was said to be the newest against what entries say that are as signed."""
        for position, entry in entries:
            self._hear(position, entry)
        said = [(position, said) for position, said in self.stated.items() if said]
        removals = [(position, *it[:2]) for position, it in said if it[1].kind == REMOVE]
        self.signed_newest = max(removals, default=None)
        kept = self.signed_newest[2].removal.kept if self.signed_newest else 0
        self.altered |= self.newest != self.signed_newest or self.count != kept

    def begins(self):
        """Up to where entries were removed by right."""
        return self.begins_at(self.signed_newest)

    def facts(self):
        if not self.signed_newest:
            return None
        position, segment, step = self.signed_newest
        facts = {name: getattr(step.removal, name) for name in ("since", "months", "witness")}
        return {"until": segment.until, "position": position, **facts}

    def hold(self, tree, findings):
        """Holds what is said of segments against each other, the tree and the index, where these are as they were signed."""
        if not findings.found and not self.altered:
            said = {position: said for position, said in self.stated.items() if said}
            wrong = {*(self.stated.keys() - said.keys()), *wrong_segments(said, tree)}
            for position in sorted(wrong):
                findings.add("segment_wrong", position=position)
        stated = self.newest[1].index_root if self.newest else NOBODY
        if self.altered or Index((), self.standings).root() != stated:
            findings.add("removed_altered")


def said_of(position, entry):
    """What an entry says of a segment: which, what becomes of it, whose act it is, and when; None for one that does not."""
    try:
        return said_in(position, entry)
    except ValueError:
        return None


def said_in(position, entry):
    """The same; malformed for one that has to and does not."""
    try:
        fields = read_entry(entry)
    except ValueError:
        return None
    said = segment_of(fields, position)
    return said and (*said, fields.get("actor", {}).get("identity"), fields["at"])


def wrong_segments(stated, tree):
    """Where entries stand that say of segments what does not follow from those before."""
    closed, entered, rejected, closes_from, removes_from = {}, {}, set(), 0, 0
    for position, (segment, step, person, at) in sorted(stated.items()):
        fits = (tree.root(segment.until) or segment.root) == segment.root
        if step.kind == CLOSE:
            fits &= segment.first == closes_from
            closes_from = max(closes_from, segment.until)
            closed[position] = (segment, max(step.newest, at))
        elif step.kind == ENTER:
            entered[position] = (segment, person)
        else:
            entered_at = step.entered_at if step.kind == REJECT else step.removal.entered_at
            of, other = entered.get(entered_at, (None, None))
            by_another = of == segment and None not in (person, other) and person != other
        if step.kind == REJECT:
            fits &= by_another
            rejected.update({entered_at} if by_another else ())
        elif step.kind == REMOVE:
            fits &= segment.first == removes_from
            fits &= closed.get(step.removal.closed_at) == (segment, step.removal.since)
            fits &= by_another and entered_at not in rejected
            removes_from = max(removes_from, segment.until)
        if not fits:
            yield position


def read_tiles(stored, checkpoints, told, findings):
    """The hashes of the tiles that belong to the log, as far as it goes."""
    tiles, level, nodes, claimed = {}, 0, checkpoints.size, checkpoints.claimed
    while claimed:
        for index in range(-(-claimed // WIDTH)):
            kept, width = stored.pop((level, index), None), min(WIDTH, nodes - WIDTH * index)
            if width <= 0:
                continue
            # Under a checkpoint that was altered a tile may rightly reach further than can be told.
            longest = width if told else WIDTH
            if kept is None or len(kept) % 32 or not width <= len(kept) // 32 <= longest:
                findings.add("tile_missing", level=level, index=index)
                continue
            tiles[level, index] = [kept[at : at + 32] for at in range(0, 32 * width, 32)]
        level, nodes, claimed = level + 1, nodes // WIDTH, claimed // WIDTH
    for level, index in sorted(stored if checkpoints.good else ()):
        findings.add("tile_stray", level=level, index=index)
    return tiles


def settle(tree, roots, leaves, findings):
    """Believes the signed roots, smallest first, and says where nothing that is here leads to them."""
    confirmed, lost = 0, False
    for size, root in sorted(roots.items()):
        if size == 0:
            if root != sm3(b""):
                findings.add("forked", size=0)
            continue
        reached = tree.believe_root(size, root)
        begin = max(confirmed, min(reached, size))
        # After one that failed, only what differs can be told from what merely cannot be confirmed.
        if reached < size and (not lost or any(len(leaves.get(leaf, ())) != 1 for leaf in range(begin, size))):
            findings.add("altered_within", position=begin, until=size)
        lost, confirmed = reached < size, size
    for begin, end in sorted(tree.stuck):
        findings.add("altered_within", position=begin, until=end)


def name(alignment, faults, findings):
    """Says of each entry that is not in order what it is."""
    for position, other in alignment.swapped:
        findings.add("swapped", position=position, other=other)
    for position, leaf in alignment.moved:
        findings.add("moved", position=position, signed=leaf)
    for leaf in alignment.altered:
        findings.add("altered", position=leaf)
    for begin, until in ranges(sorted(alignment.missing)):
        findings.add("missing", position=begin, until=until)
    for row in alignment.inserted:
        findings.add("inserted", position=alignment.rows[row][0])
    elsewhere = {position for position, _ in alignment.moved} | set(itertools.chain(*alignment.swapped))
    altered = set(alignment.altered)
    for leaf, row in alignment.row_of.items() if faults else ():
        if row in faults and leaf not in altered and alignment.rows[row][0] not in elsewhere:
            kind, facts = faults[row]
            findings.add(kind, position=alignment.rows[row][0], **facts)


def hold(held, key, size, roots, tree, findings):
    """Holds the log against checkpoints that were obtained earlier."""
    held_roots = {}
    for at, note in enumerate(held):
        try:
            read = key.reads(note)
        except ValueError:
            read = None
        if read is None:
            findings.lacks(f"checkpoint {at} of those held is not signed by this key")
            continue
        own, root = read
        if own > size:
            findings.add("rolled_back", held=own, size=size)
            continue
        known = {held_roots.setdefault(own, root), roots.get(own) or tree.root(own)} - {None}
        if known - {root}:
            findings.add("forked", size=own)
        elif not roots.get(own) and not tree.root(own):
            findings.lacks(f"checkpoint {at} of those held speaks of a size at which nothing can be compared")


# Exports and histories


class NotExport(ValueError):
    """A line is not what it should be there."""


class Export:
    """A text file with entries: the facts of its head, and its lines as number, hash, entry."""

    def __init__(self, content):
        self.lines, self.at = content.split(b"\n"), 0
        # What follows the last newline is a line that was not ended.
        rest = self.lines.pop()
        self.unended = len(self.lines) + 1 if rest else None
        try:
            self.format = self._line()
            if self.format not in self.FORMATS:
                raise Malformed("another format")
            self.key = Key(" ".join(self._words("key")))
            self._head()
            self._entries()
        except (ValueError, IndexError) as error:
            raise NotExport(f"line {max(self.at, 1)} of the file is malformed") from error

    def _line(self):
        self.at += 1
        line = self.lines[self.at - 1]
        if len(line) > MAX_ENTRY + 96:
            raise Malformed("too long")
        return line

    def _words(self, *first):
        words = self._line().decode().split(" ")
        if tuple(words[: len(first)]) != first:
            raise Malformed("another line")
        return words[len(first) :]

    def _number(self, word, most):
        (number,) = map(decimal, self._words(word))
        if number > most:
            raise Malformed("too many")
        return number

    def _hash(self, word):
        (text,) = self._words(word)
        return plain(text, 32)

    def _note(self):
        return "".join(self._line().decode() + "\n" for _ in range(self._number("checkpoint", MAX_NOTE_LINES)))

    def _entries(self):
        if self._line() != b"entries":
            raise Malformed("entries")
        self.entries, self.complete = [], False
        while self.at < len(self.lines):
            line = self._line()
            if line.startswith(b"end "):
                if decimal(line[4:].decode()) != len(self.entries):
                    raise Malformed("count")
                if self.at < len(self.lines):
                    raise Malformed("something after the end")
                if self.unended:
                    self.at += 1
                    raise Malformed("a line without its end")
                self.complete = True
                return
            self.entries.append(numbered(line))
        if self.unended:
            self.at += 1
            raise Malformed("a line without its end")


def numbered(line):
    """Position, hash and octets of the line of an entry."""
    number, value, entry = line.split(b" ", 2)
    return decimal(number.decode()), plain(value.decode(), 32), entry


class Bundle(Export):
    FORMATS = (b"healthcard-audit-bundle v1",)

    def _head(self):
        self.begin, self.end, self.size = map(decimal, self._words("range"))
        if not self.begin <= self.end <= self.size < 1 << 62:
            raise Malformed("range")
        sides = (("left", subtrees(0, self.begin)), ("right", subtrees(self.end, self.size)))
        self.given = {node: self._hash(side) for side, nodes in sides for node in nodes}
        self.note = self._note()


class History(Export):
    FORMATS = (b"healthcard-access-history v1", b"healthcard-access-history v2")

    def _head(self):
        self.resident = " ".join(self._words("resident"))
        if not self.resident or CONTROL.search(self.resident):
            raise Malformed("nobody")
        self.index, self.standing = map(self._pair, ("index", "standing"))
        self.path = self._hashes("path", MAX_PATH)
        self.before, self.begin = NO_ENTRY, 0
        if self.format == self.FORMATS[1]:
            self.before = self._pair("before")
            self.path_before = self._hashes("path", MAX_PATH)
            self.removal = numbered(" ".join(self._words("removal")).encode())
            self.removal_proof = self._hashes("proof", MAX_PROOF)
            self.segment = self._segment()
            self.begin = self.segment.until if self.segment else 0
        self.statement = numbered(" ".join(self._words("statement")).encode())
        self.proof = self._hashes("proof", MAX_PROOF)
        self.note = self._note()

    def _hashes(self, word, most):
        return [self._hash("hash") for _ in range(self._number(word, most))]

    def _segment(self):
        """The segment that the entry removed; None where it removed none."""
        position, _, entry = self.removal
        try:
            segment = segment_of(read_entry(entry), position)
        except ValueError:
            return None
        return segment[0] if segment and segment[1].kind == REMOVE else None

    def removed_from(self, size, root):
        """Whether a signed root leads to what was removed."""
        position, value, entry = self.removal
        included = position < size and root_over(leaf_hash(entry), position, size, self.removal_proof) == root
        return (
            included
            and leaf_hash(entry) == value
            and bool(self.segment)
            and self.segment.until <= self.index[0]
            and index_root(key_of(self.resident), self.before, self.path_before) == self.segment.index_root
        )

    def _pair(self, word):
        number, value = self._words(word)
        return decimal(number), plain(value, 32)

    def leads_from(self, size, root):
        """Whether a signed root leads to the statement, and that to the standing."""
        position, value, entry = self.statement
        try:
            fields = read_entry(entry)
            if fields.get("resident") != self.resident or stated(fields, position) != self.index:
                return False
        except ValueError:
            return False
        signed = position < size and root_over(leaf_hash(entry), position, size, self.proof) == root
        return (
            signed
            and leaf_hash(entry) == value
            and index_root(key_of(self.resident), self.standing, self.path) == self.index[1]
            and (self.format == self.FORMATS[0] or self.removed_from(size, root))
        )


class Receipt(Export):
    """What shows that a log has an entry of this hash at this position."""

    FORMATS = (b"healthcard-receipt v1",)

    def _head(self):
        (position,) = self._words("position")
        self.position, self.leaf = decimal(position), self._hash("leaf")
        self.proof = [self._hash("hash") for _ in range(self._number("proof", MAX_PROOF))]
        self.note = self._note()

    def _entries(self):
        if self.at < len(self.lines) or self.unended:
            self.at += 1
            raise Malformed("something after the end")
        self.entries = [(self.position, self.leaf, b"")]


def read_note(key, note):
    """What a key reads in a note: None where it did not sign it, nothing where something is wrong with it."""
    try:
        return key.reads(note)
    except ValueError:
        return ()


def check_bundle(bundle, key, held):
    findings = Findings()
    own = read_note(key, bundle.note)
    root = own[1] if own and own[0] == bundle.size else None
    if own is None:
        findings.lacks("the checkpoint is not signed by this key")
    elif root is None:
        findings.add("checkpoint_altered", size=bundle.size)

    lines = in_order(bundle, findings)
    leaves = {number: tuple(dict.fromkeys((value, leaf_hash(entry)))) for number, (value, entry) in lines.items()}
    tree = Tree(dict(leaves))
    for node, value in bundle.given.items():
        tree.offer(*node, value)
    tree.grow()
    whole = bundle.complete and len(lines) == bundle.end - bundle.begin
    if root and bundle.size and tree.believe_root(bundle.size, root) < bundle.size and whole:
        findings.add("altered_within", position=bundle.begin, until=bundle.end)
    if root and bundle.size == 0 and root != sm3(b""):
        findings.add("altered_within", position=0, until=0)
    for begin, end in sorted(tree.stuck):
        findings.add("altered_within", position=max(begin, bundle.begin), until=min(end, bundle.end))
    for number, (value, entry) in lines.items():
        believed, computed = tree.believed.get((0, number)), leaf_hash(entry)
        if computed != value:
            # Where nothing better is there, the hash is what the entry is held against.
            findings.add("hash_altered" if believed == computed else "altered", position=number)
        elif not is_entry(entry):
            findings.add("malformed", position=number)
    if bundle.begin == 0 and not findings.found and not findings.missing:
        hold_statements(((number, entry) for number, _, entry in bundle.entries), findings)

    hold(held, key, bundle.size, {bundle.size: root} if root else {}, tree, findings)
    if root and not read_note(bundle.key, bundle.note):
        findings.add("key_altered", size=bundle.size)
    return findings, {"size": bundle.size, "root": root}


def check_history(history, key, held):
    findings = Findings()
    own = read_note(key, history.note)
    size, root = own or (0, None)
    if own is None:
        findings.lacks("the checkpoint is not signed by this key")
    elif not own:
        findings.add("checkpoint_altered", size=size_claimed(history.note))
    elif not history.leads_from(size, root):
        findings.add("proof_altered")
    hold_entries(history, not findings.found, findings)
    if not history.complete:
        findings.lacks("the history ends before its last line")
    return hold_alone(history, key, own, held, findings)


def check_receipt(receipt, key, held):
    findings = Findings()
    own = read_note(key, receipt.note)
    if own is None:
        findings.lacks("the checkpoint is not signed by this key")
    elif not own:
        findings.add("checkpoint_altered", size=size_claimed(receipt.note))
    elif receipt.position >= own[0] or root_over(receipt.leaf, receipt.position, own[0], receipt.proof) != own[1]:
        findings.add("proof_altered")
    return hold_alone(receipt, key, own, held, findings)


def hold_alone(export, key, own, held, findings):
    """Holds the one checkpoint of a file, as `key` reads it, against those that were kept."""
    size, root = own or (0, None)
    for at, note in enumerate(held):
        other = read_note(key, note)
        if not other:
            findings.lacks(f"checkpoint {at} of those held is not signed by this key")
        elif not own or other[0] != size:
            findings.lacks(f"checkpoint {at} of those held speaks of a size at which nothing can be compared")
        elif other[1] != root:
            findings.add("forked", size=size)
    if own and not read_note(export.key, export.note):
        findings.add("key_altered", size=size)
    return findings, {"size": size, "root": root}


def size_claimed(note):
    """The size of which a checkpoint speaks, whoever signed it; 0 where it is none."""
    try:
        origin, size, root, end = taken_apart(note)[0].split("\n")
        plain(root, 32)
        return decimal(size) if is_name(origin) and not end else 0
    except ValueError:
        return 0


def hold_entries(history, sound, findings):
    """Holds the entries of a history against the resident's standing, which is what was signed where all is sound that
    leads to it."""
    by_hashes = by_entries = history.before
    begin, differ = history.begin, []
    for number, value, entry in history.entries:
        if not begin <= number < history.index[0]:
            findings.add("inserted", position=number)
            continue
        begin, own = number + 1, leaf_hash(entry)
        if own != value:
            differ.append(number)
        elif not is_entry(entry):
            findings.add("malformed", position=number)
        elif read_entry(entry).get("resident") != history.resident:
            findings.add("inserted", position=number)
        by_hashes, by_entries = counted(by_hashes, number, value), counted(by_entries, number, own)
    # Where the entries are what was signed, the hashes beside them are not.
    genuine = sound and by_entries == history.standing
    for number in differ:
        findings.add("hash_altered" if genuine else "altered", position=number)
    if genuine or not history.complete or by_hashes == history.standing:
        return
    left_out = history.standing[0] - by_hashes[0]
    if left_out > 0:
        findings.add("left_out", entries=left_out)
    elif not findings.found:
        # What is there too often, or in another's place, was named where it stands.
        findings.add("altered_within", position=0, until=history.index[0])


def in_order(bundle, findings):
    """The lines by their numbers; says which are missing, too many, or in another's place."""
    within = [line for line in bundle.entries if bundle.begin <= line[0] < bundle.end]
    kept = dict(increasing([(line[0], at, 1) for at, line in enumerate(within)]))
    lines, order = {}, []
    for at, (number, value, entry) in enumerate(within):
        if number in lines or kept.get(number, at) != at:
            findings.add("inserted", position=number)
        else:
            lines[number] = (value, entry)
            order.append(number)
    for number, *_ in bundle.entries:
        if not bundle.begin <= number < bundle.end:
            findings.add("inserted", position=number)
    place = dict(zip(order, sorted(order)))
    exchanged = {number for number in order if place[number] != number and place[place[number]] == number}
    for number in sorted(exchanged):
        if number < place[number]:
            findings.add("swapped", position=number, other=place[number])
    for number in order:
        if number not in kept and number not in exchanged:
            findings.add("moved", position=place[number], signed=number)
    next_number = bundle.begin
    for number in [*sorted(order), bundle.end if bundle.complete else next_number]:
        if number > next_number:
            findings.add("missing", position=next_number, until=number)
        next_number = number + 1
    if not bundle.complete:
        findings.lacks("the bundle ends before its last line")
    return lines


# Packages


SIGNING = ("manifest.txt", "manifest.p7s", "time-stamp.tsr")
NEEDED = ("README.md", "README.zh-CN.md", "check.html", "checkpoint.txt", "log-keys.txt", "witnesses.txt", "certificates/authorities.pem")
MEMBER = re.compile(r"[A-Za-z0-9-][A-Za-z0-9.-]{0,63}(/[A-Za-z0-9-][A-Za-z0-9.-]{0,63})?", re.ASCII)
MAX_MEMBERS, MAX_PACKAGE, MAX_TEXT_MEMBER, MAX_KEYS = 4096, 4_000_000_000, 1 << 20, 64


class Package:
    """A ZIP file in the one form that packages have: every octet beside those of the members is as it would be written."""

    def __init__(self, path):
        octets = pathlib.Path(path).read_bytes()
        if len(octets) > MAX_PACKAGE:
            raise Malformed("too large")
        try:
            archive = zipfile.ZipFile(io.BytesIO(octets))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise Malformed(str(error)) from error
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS or len({info.filename.lower() for info in infos}) != len(infos):
            raise Malformed("members")
        at, listed = 0, b""
        self.names, self.members, self.spoilt = [], {}, set()
        for info in infos:
            name = info.filename.encode()
            if not MEMBER.fullmatch(info.filename) or info.file_size >= 1 << 32 or info.CRC >> 32:
                raise Malformed("a name")
            tail = struct.pack("<IIIHH", info.CRC, info.file_size, info.file_size, len(name), 0)
            head = struct.pack("<IHHHHH", 0x04034B50, 20, 0, 0, 0, 33) + tail + name
            if octets[at : at + len(head)] != head:
                raise Malformed("a header")
            begin = at + len(head)
            content = octets[begin : begin + info.file_size]
            listed += struct.pack("<IHHHHHH", 0x02014B50, 3 << 8 | 20, 20, 0, 0, 0, 33) + tail
            listed += struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, at) + name
            at = begin + len(content)
            self.names.append(info.filename)
            self.members[info.filename] = content
            if zlib.crc32(content) != info.CRC:
                self.spoilt.add(info.filename)
        end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(infos), len(infos), len(listed), at, 0)
        if octets[at:] != listed + end:
            raise Malformed("the list")


class Manifest:
    def __init__(self, octets):
        if len(octets) > 1 << 20:
            raise Malformed("too long")
        lines = octets.decode().split("\n")
        if lines[0] != "healthcard-audit-package v1" or lines[-1] or len(lines) < 8:
            raise Malformed("format")
        self.log, self.made, self.by, self.certificate = (
            self._word(line, word) for line, word in zip(lines[1:5], ("log", "made", "by", "certificate"))
        )
        kind, *words = lines[5].split(" ")
        if len(words) != 3 or kind not in ("range", "history"):
            raise Malformed("selection")
        numbers = [decimal(word) for word in (words if kind == "range" else words[1:])]
        if kind == "range" and not numbers[0] < numbers[1] <= numbers[2]:
            raise Malformed("range")
        self.selection, self.size = (kind, *words), numbers[-1]
        self.entries = "entries.txt" if kind == "range" else "history.txt"
        at = 6
        if lines[at].startswith("reason "):
            reason = lines[at][7:]
            if not 0 < len(reason.encode()) <= 512 or CONTROL.search(reason) or reason.strip() != reason:
                raise Malformed("reason")
            at += 1
        count = decimal(self._word(lines[at], "members"))
        self.members = {}
        for line in lines[at + 1 : -1]:
            name, length, digest = line.split(" ")
            if not MEMBER.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{64}", digest, re.ASCII):
                raise Malformed(line)
            if self.members and list(self.members)[-1].encode() >= name.encode():
                raise Malformed("order")
            self.members[name] = (decimal(length), bytes.fromhex(digest))
        if count != len(self.members):
            raise Malformed("count")

    @staticmethod
    def _word(line, word):
        found, _, value = line.partition(" ")
        if found != word or not 0 < len(value.encode()) <= 128 or re.search(r"[\s\x00-\x1f\x7f-\x9f]", value):
            raise Malformed(line)
        return value


class WitnessKey(Key):
    KIND = b"\xff" + b"healthcard.v1/SM2-SM3-cosignature"

    def time_of(self, note):
        """When this witness signed the checkpoint of a note, whoever else did; malformed where it did not."""
        text, signatures = taken_apart(note)
        times = []
        for name, number, value in signatures:
            if (name, number) == (self.name, self.id):
                time = int.from_bytes(value[:8], "big")
                if len(value) != 72 or not signed(self.public, f"cosignature/v1\ntime {time}\n{text}".encode(), value[8:]):
                    raise Malformed("a wrong cosignature")
                times.append(time)
        if not times:
            raise Malformed("no cosignature")
        return max(times)


def consistent(first, first_root, second, second_root, proof):
    """Whether a consistency proof (RFC 6962, 2.1.2; RFC 9162, 2.1.4.2) leads from one root to the other."""
    if first == 0 or first == second:
        return not proof and (first == 0 or first_root == second_root)
    hashes = list(proof) if first & (first - 1) else [first_root, *proof]
    if not hashes:
        return False
    one, other = first - 1, second - 1
    while one & 1:
        one, other = one >> 1, other >> 1
    by_first = by_second = hashes.pop(0)
    for value in hashes:
        if other == 0:
            return False
        if one & 1 or one == other:
            by_first, by_second = node_hash(value, by_first), node_hash(value, by_second)
            while one and not one & 1:
                one, other = one >> 1, other >> 1
        else:
            by_second = node_hash(by_second, value)
        one, other = one >> 1, other >> 1
    return other == 0 and (by_first, by_second) == (first_root, second_root)


def read_vouchers(octets, title, kind):
    """Keys, each with a note that it signed, if any, and the hashes of a proof."""
    if len(octets) > MAX_TEXT_MEMBER or not octets.endswith(b"\n"):
        raise Malformed("not text")
    lines = octets.decode().split("\n")[:-1][::-1]

    def after(word):
        found, _, rest = (lines.pop() if lines else "").partition(" ")
        if found != word:
            raise Malformed(word)
        return rest

    if lines.pop() != title:
        raise Malformed("title")
    vouchers = []
    while lines and not lines[-1].startswith("end "):
        key, count = kind(after("key")), decimal(after("checkpoint"))
        if count > MAX_NOTE_LINES or count > len(lines) or len(vouchers) == MAX_KEYS:
            raise Malformed("note")
        note = "".join(f"{lines.pop()}\n" for _ in range(count))
        hashes = decimal(after("proof"))
        if hashes > MAX_PROOF:
            raise Malformed("proof")
        if any(key.public == known.public for known, *_ in vouchers):
            raise Malformed("twice")
        vouchers.append((key, note, [plain(after("hash"), 32) for _ in range(hashes)]))
    if decimal(after("end")) != len(vouchers) or lines:
        raise Malformed("end")
    return vouchers


def joins(own, package, proof):
    """Whether two checkpoints, as size and root, are of one log."""
    (less, less_root), (more, more_root) = sorted((own, package), key=lambda it: it[0])
    if less == 0:
        return not proof
    return consistent(less, less_root, more, more_root, proof)


def vouches(voucher, package):
    """For how many entries a key of the log vouches; malformed where what is said of it does not hold together."""
    key, note, proof = voucher
    own = key.reads(note) if note else None
    if not note and not proof:
        return 0
    if not own or not joins(own, package, proof):
        raise Malformed("a voucher")
    return min(own[0], package[0])


def witnessed(voucher, package, log):
    key, note, proof = voucher
    if not note and not proof:
        return None
    time = key.time_of(note)
    origin, size, root, end = taken_apart(note)[0].split("\n")
    if end or origin != log or not joins((decimal(size), plain(root, 32)), package, proof):
        raise Malformed("a witness")
    return decimal(size), time


def der(octets, tags=None):
    """The elements of DER, one behind the other, as tag, content and whole; with these tags, if any are named."""
    elements, rest = [], octets
    while rest:
        tag, length, head = rest[0], rest[1] if len(rest) > 1 else 0x80, 2
        if length >= 0x80:
            head += length & 0x7F
            length = int.from_bytes(rest[2:head], "big")
            if head > 6 or length < 0x80 or rest[2] == 0:
                raise Malformed("a length")
        if len(rest) < head + length:
            raise Malformed("cut off")
        elements.append((tag, rest[head : head + length], rest[: head + length]))
        rest = rest[head + length :]
    if tags is not None and [tag for tag, *_ in elements] != list(tags):
        raise Malformed("elements")
    return elements


def inside(octets, *tags):
    """What is in the one element of DER, which has these elements."""
    return der(der(octets, [0x30])[0][1], tags or None)


def oid(dotted):
    first, second, *arcs = map(int, dotted.split("."))
    content = bytearray([40 * first + second])
    for arc in arcs:
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(groups[::-1])
    return bytes([6, len(content)]) + bytes(content)


def sequence(content):
    return bytes([0x30, len(content)]) + content


SM3_IS, SM2_SM3_IS = sequence(oid("1.2.156.10197.1.401")), sequence(oid("1.2.156.10197.1.501"))
SIGNED_DATA, DATA, TST_INFO = oid("1.2.840.113549.1.7.2"), oid("1.2.840.113549.1.7.1"), oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE = oid("1.2.840.113549.1.9.16.2.47")


class Certificate:
    """As much of a certificate as says who made it and whose it is."""

    def __init__(self, octets):
        (_, _, self.body), (_, _, algorithm), (_, signature, _) = inside(octets, 0x30, 0x30, 3)
        fields = inside(self.body)
        if fields[0][0] != 0xA0 or len(fields) < 7 or algorithm != SM2_SM3_IS or signature[:1] != b"\x00":
            raise Malformed("a certificate")
        self.octets, self.signature = octets, signature[1:]
        self.serial, self.issuer, self.subject = fields[1][2], fields[3][2], fields[5][2]
        key = inside(fields[6][2], 0x30, 3)[1][1]
        self.public = key[1:]
        if not point_of(self.public):
            raise Malformed("a key")

    def signed(self, octets, signature):
        raw = from_der(signature)
        return bool(raw) and signed(self.public, octets, raw)

    def made(self, other):
        return self.subject == other.issuer and self.signed(other.body, other.signature)

    def number(self):
        return der(self.serial, [2])[0][1].hex()


def certificates_in(pem):
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE-----\n", pem)
    return [Certificate(base64.b64decode(block)) for block in blocks]


def signer_of(message, kind, content=None):
    """Whose signature a CMS message is, over this content or over what it carries; malformed where anything in it is not
    as it has to be."""
    (_, _, is_signed), (_, outer, _) = inside(message, 6, 0xA0)
    version, digests, encapsulated, certificates, infos = inside(outer, 2, 0x31, 0x30, 0xA0, 0x31)
    (tag, _, own), *carried = inside(encapsulated[2])
    info = inside(infos[1], 2, 0x30, 0x30, 0xA0, 0x30, 4)
    certificate = Certificate(certificates[1])
    if carried:
        content = der(carried[0][1], [4])[0][1]
    attributes = {}
    for _, _, attribute in der(info[3][1]):
        (_, _, name), (_, values, _) = inside(attribute, 6, 0x31)
        if name in attributes:
            raise Malformed("an attribute twice")
        attributes[name] = values
    names = certificate.issuer + certificate.serial
    right = (
        is_signed == SIGNED_DATA
        and version[1] in (b"\x01", b"\x03")
        and (len(carried) == 1) == (kind != DATA)
        and (digests[1], info[2][2], info[4][2]) == (SM3_IS, SM3_IS, SM2_SM3_IS)
        and (tag, own, info[0][1], info[1][1]) == (6, kind, b"\x01", names)
        and attributes.get(CONTENT_TYPE) == kind
        and attributes.get(MESSAGE_DIGEST) == b"\x04\x20" + sm3(content)
        and sm3(certificate.octets) in attributes.get(SIGNING_CERTIFICATE, b"")
        and certificate.signed(b"\x31" + info[3][2][1:], info[5][1])
    )
    if not right:
        raise Malformed("a signature")
    return certificate, content


def stamped(reply, signature):
    """Who stamped the time of a signature, and when."""
    (_, status, _), (_, _, token) = inside(reply, 0x30, 0x30)
    certificate, content = signer_of(token, TST_INFO)
    fields = inside(content)
    imprint = sequence(SM3_IS + b"\x04\x20" + sm3(signature))
    if status[:3] not in (b"\x02\x01\x00", b"\x02\x01\x01") or fields[2][2] != imprint or fields[4][0] != 0x18:
        raise Malformed("a stamp")
    return certificate, fields[4][1].decode()


def check_signatures(package, manifest, findings):
    """The signature over the manifest, its time, and the certificates: each made by an authority that is enclosed.
    Whether those lead to a root that is trusted, and whether anything was revoked, is not looked at here."""
    found = {finding["member"] for finding in findings.found if "member" in finding}
    authorities = certificates_in(package.members.get("certificates/authorities.pem", b""))

    def of_authority(certificate):
        return any(authority.made(certificate) for authority in authorities)

    manifest_octets, signature, stamp = (package.members.get(name, b"") for name in SIGNING)
    made_at = None
    try:
        certificate, _ = signer_of(signature, DATA, manifest_octets)
        if not of_authority(certificate):
            raise Malformed("nobody's")
        if certificate.number() != manifest.certificate:
            findings.add("member_disagrees", member="manifest.p7s")
    except (ValueError, IndexError):
        findings.add("member_not_signed", member="manifest.p7s")
    try:
        certificate, made_at = stamped(stamp, signature)
        if not of_authority(certificate):
            raise Malformed("nobody's")
    except (ValueError, IndexError):
        findings.add("member_not_signed", member="time-stamp.tsr")
    for name, pem in package.members.items():
        if name.startswith("certificates/") and name != "certificates/authorities.pem" and name not in found:
            try:
                (certificate,) = certificates_in(pem)
            except (ValueError, IndexError):
                findings.add("member_malformed", member=name)
                continue
            if name != f"certificates/{certificate.number()}.pem":
                findings.add("member_disagrees", member=name)
            if not of_authority(certificate):
                findings.add("member_forged", member=name)
    return made_at


def is_known(name, entries):
    pattern = r"certificates/[0-9a-f]+\.pem|status/([0-9a-f]+\.ocsp|[A-Za-z0-9.-]+\.crl)"
    return name in (*NEEDED, entries, *SIGNING) or bool(re.fullmatch(pattern, name, re.ASCII))


def check_package(path, key, held):
    package = Package(path)
    if "manifest.txt" not in package.members:
        raise Malformed("no manifest")
    manifest = Manifest(package.members["manifest.txt"])
    findings = Findings()
    hold_members(package, manifest, findings)
    content = package.members.get(manifest.entries)
    facts = {"size": manifest.size}
    if content is not None:
        try:
            export = (Bundle if manifest.entries == "entries.txt" else History)(content)
        except NotExport:
            export = None
            unless_found(findings, "member_malformed", manifest.entries)
        if export:
            facts = check_exported(package, manifest, export, key, held, findings)
    facts["stamped_at"] = check_signatures(package, manifest, findings)
    facts["unchecked"] = ["root", "revocation", "witnesses' keys"]
    return findings, facts


def unless_found(findings, kind, name):
    if not any(finding.get("member") == name for finding in findings.found):
        findings.add(kind, member=name)


def hold_members(package, manifest, findings):
    """Holds the members against the manifest."""
    for name in dict.fromkeys((*manifest.members, *NEEDED, manifest.entries, *SIGNING)):
        if name not in package.members:
            findings.add("member_missing", member=name)
        elif not is_known(name, manifest.entries):
            findings.add("member_added", member=name)
    for name, content in package.members.items():
        if name in SIGNING:
            if name in package.spoilt:
                findings.add("member_altered", member=name)
        elif name not in manifest.members:
            unless_found(findings, "member_added", name)
        elif name in package.spoilt or manifest.members[name] != (len(content), sm3(content)):
            findings.add("member_altered", member=name)
    place = {name: at for at, name in enumerate(SIGNING, 2)}
    place[manifest.entries] = 0
    order = sorted(package.names, key=lambda name: (place.get(name, 1), name.encode()))
    misplaced = next((name for name, other in zip(package.names, order) if name != other), None)
    if misplaced:
        findings.add("member_misplaced", member=misplaced)


def check_exported(package, manifest, export, given, held, findings):
    """The entries, and who vouches for the log that they are of."""
    key = given if given and read_note(given, export.note) else export.key
    is_range = manifest.entries == "entries.txt"
    of_entries, facts = (check_bundle if is_range else check_history)(export, key, held)
    findings.found += of_entries.found
    findings.missing += of_entries.missing
    root = facts["root"]
    facts.update(entries_checked=len(export.entries), checkpoints=int(bool(root)), root=root.hex() if root else None)
    if is_range:
        said, until = ("range", str(export.begin), str(export.end), str(export.size)), export.end
    else:
        said, until = ("history", export.resident, str(export.standing[0]), str(manifest.size)), export.statement[0] + 1
    if key.name != manifest.log or root and (said != manifest.selection or facts["size"] != manifest.size):
        unless_found(findings, "member_disagrees", "manifest.txt")
    logs = watched = ()
    for name, title, kind in (("log-keys.txt", "healthcard-log-keys v1", Key), ("witnesses.txt", "healthcard-witnesses v1", WitnessKey)):
        try:
            read = read_vouchers(package.members.get(name, b""), title, kind)
        except (ValueError, IndexError):
            unless_found(findings, "member_malformed", name)
            continue
        logs, watched = (read, watched) if kind is Key else (logs, read)
    if not root:
        return facts
    own = (facts["size"], root)
    try:
        same = read_note(key, package.members.get("checkpoint.txt", b"").decode()) == own
    except ValueError:
        same = False
    if not same:
        unless_found(findings, "member_disagrees", "checkpoint.txt")
    try:
        far = {(voucher[0].name, voucher[0].public): vouches(voucher, own) for voucher in logs}
        if (key.name, key.public) not in far:
            raise Malformed("not among them")
    except ValueError:
        far = {}
        unless_found(findings, "member_disagrees", "log-keys.txt")
    try:
        facts["witnesses"] = [
            {"witness": voucher[0].name, "size": (found := witnessed(voucher, own, key.name)) and found[0]} for voucher in watched
        ]
    except ValueError:
        unless_found(findings, "member_disagrees", "witnesses.txt")
    if given and given.public != key.public:
        reach = far.get((given.name, given.public))
        if reach is None:
            findings.lacks("the key given is none of the log that the package names")
        elif reach < until:
            findings.lacks(f"the key given vouches for the first {reach} entries of the log alone")
    return facts


# Answers


def check_text(content, key, held):
    """What is found in a text file, which says in its first line what it is."""
    source = {"verifier_key_source": "given" if key else "file"}
    kinds = {word: (History, check_history) for word in History.FORMATS}
    kinds[Receipt.FORMATS[0]] = (Receipt, check_receipt)
    read, checked = kinds.get(content.split(b"\n", 1)[0], (Bundle, check_bundle))
    try:
        export = read(content)
    except NotExport as error:
        findings = Findings()
        findings.lacks(str(error))
        return findings, source
    findings, facts = checked(export, key or export.key, held)
    root = facts["root"]
    facts.update(entries_checked=len(export.entries), checkpoints=int(bool(root)), root=root.hex() if root else None)
    return findings, {**facts, **source}


def check(path, key, held):
    """The answer about one file."""
    answer = {"file": str(path)}
    try:
        with open(path, "rb") as file:
            head = file.read(16)
        if head == b"SQLite format 3\0":
            if not key:
                raise SystemExit("a copy of the database is checked with --verifier-key")
            findings, facts = check_database(path, key, held)
            facts["verifier_key_source"] = "given"
        elif head.startswith(b"PK"):
            try:
                findings, facts = check_package(path, key, held)
                facts["verifier_key_source"] = "given" if key else "file"
            except (ValueError, IndexError, struct.error) as error:
                findings, facts = Findings(), {}
                findings.lacks(f"the file is no package, or damaged: {error}")
        else:
            findings, facts = check_text(pathlib.Path(path).read_bytes(), key, held)
    except (sqlite3.Error, OSError, OverflowError) as error:
        findings, facts = Findings(), {}
        findings.lacks(f"the file cannot be read as a log: {error}")
    verdict = "tampered" if findings.found else "unverifiable" if findings.missing else "valid"
    listed = findings.found[:MAX_FINDINGS]
    answer.update(verdict=verdict, **facts, findings=listed, unlisted_findings=len(findings.found) - len(listed))
    return {**answer, "missing": [] if findings.found else findings.missing}


def check_vectors(directory):
    """Holds the arithmetic against vectors of others."""
    tried = 0
    for group in json.loads((directory / "merkle.json").read_text())["groups"]:
        for test in group["tests"] if group["hash"] == "SM3" else ():
            if test["kind"] == "root" and test["size"]:
                leaves = {at: (leaf_hash(bytes.fromhex(leaf)),) for at, leaf in enumerate(test["leaves"])}
                tree = Tree(leaves)
                tree.grow()
                root = bytes.fromhex(test["root"])
                good = tree.believe_root(test["size"], root) == test["size"] and tree.root(test["size"]) == root
                wrong = Tree(dict(leaves))
                wrong.grow()
                refused = wrong.believe_root(test["size"], sm3(root)) < test["size"]
                if not good or not refused:
                    raise SystemExit(f"merkle.json: test {test['id']}")
                tried += 1
    for test in json.loads((directory / "sm2_verify.json").read_text())["groups"][0]["tests"]:
        public, signature = bytes.fromhex(test["public_key"]), from_der(bytes.fromhex(test["signature_der"]))
        texts = [bytes.fromhex(test[name]) for name in ("message", "user_id")]
        good = bool(signature) and bool(point_of(public)) and signed(public, texts[0], signature, texts[1])
        if test["result"] != "acceptable" and good != (test["result"] == "valid"):
            raise SystemExit(f"sm2_verify.json: test {test['id']}: {test['comment']}")
        tried += 1
    print(json.dumps({"tried": tried}))


def from_der(octets):
    """r ‖ s of a signature in DER, if it is one."""
    numbers, rest = [], octets[2:]
    if octets[:1] != b"\x30" or len(octets) < 2 or octets[1] != len(rest) or octets[1] >= 0x80:
        return None
    while rest:
        if rest[0] != 2 or len(rest) < 3 or rest[1] > len(rest) - 2:
            return None
        number, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        value = int.from_bytes(number, "big", signed=True)
        if value < 0 or value >> 256 or len(number) != value.bit_length() // 8 + 1:
            return None
        numbers.append(value.to_bytes(32, "big"))
    return b"".join(numbers) if len(numbers) == 2 else None


def main():
    parser = argparse.ArgumentParser(description="Checks an audit log: valid, tampered with, or not to be told.")
    parser.add_argument("--verifier-key", help="the key of the log, as it was obtained another way")
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="a checkpoint held earlier")
    parser.add_argument("--each", action="store_true", help="take the names of files from standard input")
    parser.add_argument("--vectors", type=pathlib.Path, metavar="DIR", help="hold the arithmetic against test vectors")
    parser.add_argument("files", nargs="*", metavar="FILE", help="copies of the database file, exports, histories, packages")
    order = parser.parse_args()
    if "sm3" not in hashlib.algorithms_available:
        parser.error("the OpenSSL of this Python has no SM3: OpenSSL 3 has")
    if order.vectors:
        return check_vectors(order.vectors)
    if not order.files and not order.each:
        parser.error("which files?")
    try:
        key = Key(order.verifier_key.strip()) if order.verifier_key else None
        held = [pathlib.Path(path).read_bytes().decode() for path in order.checkpoint]
    except (OSError, ValueError) as error:
        parser.error(f"unusable: {error}")
    exit_codes = {0}
    for path in itertools.chain(order.files, (line.rstrip("\n") for line in sys.stdin) if order.each else ()):
        answer = check(path, key, held)
        exit_codes.add(VERDICTS[answer["verdict"]])
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    return 4 if 4 in exit_codes else max(exit_codes)


if __name__ == "__main__":
    sys.exit(main())
