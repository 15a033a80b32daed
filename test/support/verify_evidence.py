"""A second verifier, written from docs/spec alone: python3 verify_evidence.py LAKE AS_OF PUBLIC_KEY...

Prints one fault a line, its class first, and exits 1 if there are any. Only the standard library; signatures are checked by openssl.
"""

import base64
import datetime
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ZEROS = "0" * 64
GRACE = datetime.timedelta(minutes=15)
GZIP_HEADER = bytes.fromhex("1f8b08000000000000ff")
faults = []


def fault(kind, where, what):
    faults.append((kind, where, what))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read(lake, key):
    path = os.path.join(lake, *key.split("/"))
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read()


def keys_below(lake, folder):
    found = []
    for where, _, names in os.walk(os.path.join(lake, folder)):
        found += [os.path.relpath(os.path.join(where, name), lake).replace(os.sep, "/") for name in names]
    return sorted(found)


# --- digests


class Keys:
    def __init__(self, files):
        self.by_id = {}
        for name in files:
            with open(name, encoding="ascii") as file:
                text = file.read()
            self.add(base64.b64decode("".join(text.splitlines()[1:-1])))

    def add(self, der):
        self.by_id[sha256(der)] = der

    def holds(self, digest):
        der = self.by_id.get(digest["statement"]["keyId"])
        if der is None:
            return False
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            message = f"sshtrail digest v1\n{sha256(digest['line'])}\n".encode()
            for name, data in (("key", der), ("message", message), ("signature", digest["signature"])):
                paths[name] = os.path.join(folder, name)
                with open(paths[name], "wb") as file:
                    file.write(data)
            pem = os.path.join(folder, "pem")
            subprocess.run(
                ["openssl", "pkey", "-pubin", "-inform", "DER", "-in", paths["key"], "-out", pem], check=True
            )
            if digest["statement"]["algorithm"] == "ecdsa-p256-sha256":
                command = ["openssl", "dgst", "-sha256", "-verify", pem, "-signature", paths["signature"], paths["message"]]
            else:
                command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin"]
                command += ["-in", paths["message"], "-sigfile", paths["signature"]]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0


def parse_digest(data):
    try:
        line, signature, rest = data.split(b"\n")
        statement = json.loads(line)
        if rest != b"" or statement["version"] != 1 or canonical(statement).encode() != line:
            return None
        for member in ("stream", "number", "kind", "periodStart", "periodEnd", "previousSha256", "firstSeq", "lastSeq",
                       "headHash", "segments", "recordings", "streams", "algorithm", "keyId"):
            statement[member]  # noqa: B018
        raw = base64.b64decode(json.loads(signature)["signature"])
        return {"line": line, "statement": statement, "signature": raw, "sha256": sha256(data)}
    except (ValueError, KeyError, TypeError):
        return None


def digest_key(statement):
    return f"digests/dt={statement['periodStart'][:10]}/{statement['stream']}/{statement['number']:012d}.json"


def read_digests(lake, keys):
    """By stream a list of (number, key, digest or None), and by stream the newest reference to it."""
    pattern = re.compile(r"digests/dt=\d{4}-\d\d-\d\d/([a-z0-9][a-z0-9.-]{0,62})/(\d{12})\.json")
    streams = {}
    for key in keys_below(lake, "digests"):
        match = pattern.fullmatch(key)
        if match is None:
            fault("broken-digest", key, "is no digest's key")
            continue
        streams.setdefault(match[1], []).append((int(match[2]), key, parse_digest(read(lake, key))))
    while True:
        known, references = len(keys.by_id), {}
        for digests in streams.values():
            for _, key, digest in digests:
                if digest is None or not keys.holds(digest):
                    continue
                statement = digest["statement"]
                if "successorKey" in statement:
                    keys.add(base64.b64decode(statement["successorKey"]))
                for other in statement["streams"]:
                    if other["number"] > references.get(other["stream"], (0,))[0]:
                        references[other["stream"]] = (other["number"], other["sha256"], key)
        if len(keys.by_id) == known:
            return {stream: sorted(digests, key=lambda each: each[0]) for stream, digests in streams.items()}, references


def follow_digests(stream, digests, keys, reference):
    """The digests that can be trusted, and the ranges of numbers of which nothing is known."""
    trusted, unknown, number, last, broken = [], [], 1, None, False
    for there, key, digest in digests:
        if there < number:
            fault("digest-mismatch", key, "is there twice")
            continue
        if there > number:
            fault("missing-digest", key, f"{number} to {there - 1} are missing before it")
            broken = True
        number = there + 1
        if digest is None:
            fault("broken-digest", key, "cannot be read")
        elif not keys.holds(digest):
            fault("bad-signature", key, "is not signed by a key that is trusted")
        elif digest_key(digest["statement"]) != key:
            fault("broken-digest", key, "belongs somewhere else")
        else:
            check_digest(key, digest, last, broken)
            if reference is not None and reference[0] == there and reference[1] != digest["sha256"]:
                fault("digest-mismatch", key, "is not the one that another stream names")
            covered = last["statement"]["lastSeq"] if last else 0
            if broken:
                unknown.append((covered + 1, digest["statement"]["firstSeq"] - 1))
            trusted.append(digest)
            last, broken = digest, False
            continue
        broken = True
    if reference is not None and reference[0] >= number:
        return trusted, unknown, True
    return trusted, unknown, broken


def check_digest(key, digest, last, broken):
    statement = digest["statement"]
    before = last["statement"] if last else {"lastSeq": 0, "headHash": ZEROS, "periodEnd": statement["periodStart"]}
    if not broken:
        follows = (
            statement["previousSha256"] == (last["sha256"] if last else ZEROS)
            and statement["firstSeq"] == before["lastSeq"] + 1
            and statement["periodStart"] == before["periodEnd"]
        )
        if not follows:
            fault("digest-mismatch", key, "does not follow on the one before")
    following, head = statement["firstSeq"], before["headHash"]
    for segment in statement["segments"]:
        if segment["firstSeq"] != following:
            fault("digest-mismatch", key, "has a gap between its segments")
        following, head = segment["lastSeq"] + 1, segment["lastHash"]
    if following != statement["lastSeq"] + 1 or (head != statement["headHash"] and not broken):
        fault("digest-mismatch", key, "covers other records than it says")


# --- records


def records_of(key, data, stream):
    """The records that can be trusted, with their line, None for a line at fault."""
    try:
        if data[:10] != GZIP_HEADER:
            raise ValueError("header")
        content = gzip.decompress(data)
        if not content.endswith(b"\n"):
            raise ValueError("end")
    except (ValueError, EOFError, OSError, __import__("zlib").error) as error:
        fault("broken-segment", key, str(error))
        return
    for number, line in enumerate(content[:-1].split(b"\n"), 1):
        yield number, check_line(f"{key}:{number}", line)


def check_line(where, line):
    try:
        text = line.decode("utf-8")
        record = json.loads(text)
        data = record["additionalEventData"]
        flat = [record["requestParameters"], record["responseElements"], data]
        for member in ("eventID", "eventName", "eventTime"):
            record[member]  # noqa: B018
        whole = all(isinstance(value, str) for each in flat for value in each.values())
        if not whole or not re.fullmatch("[1-9][0-9]{0,11}", data["chainSeq"]):
            raise ValueError("form")
        claimed = data["chainHash"]
        data["chainStream"], data["chainPrev"]
    except (ValueError, KeyError, TypeError, AttributeError):
        fault("not-a-record", where, "is no record")
        return None
    if canonical(record) != text:
        fault("not-canonical", where, "is not canonical")
        return None
    if sha256(text.replace(f'"chainHash":"{claimed}",', "", 1).encode()) != claimed:
        fault("hash-mismatch", where, "was changed")
        return None
    return record


class Chain:
    """One stream, record by record."""

    def __init__(self, stream):
        self.stream, self.next, self.previous, self.last, self.missing = stream, 1, ZEROS, 0, {}

    def place(self, where, record, at_start):
        data = record["additionalEventData"]
        seq = int(data["chainSeq"])
        if seq < self.next:
            if self.missing.pop(seq, None) is not None:
                fault("reordered", where, f"{seq} stands after {self.next - 1}")
            else:
                fault("duplicate-sequence", where, f"{seq} stands twice")
            return
        if seq > self.next:
            kind = "missing-record" if not at_start else "missing-start" if self.next == 1 else "missing-segment"
            self.missing.update({number: (kind, where) for number in range(self.next, seq)})
        elif self.previous is not None and data["chainPrev"] != self.previous:
            fault("broken-link", where, "does not follow on the one before")
        self.next, self.previous, self.last = seq + 1, data["chainHash"], seq

    def finish(self):
        for number, (kind, where) in self.missing.items():
            fault(kind, where, f"{number} is missing")

    def skip(self):
        self.next, self.previous = self.next + 1, None


# --- sessions and recordings


class Sessions:
    def __init__(self):
        self.by_id = {}

    def enter(self, where, record):
        session = record["additionalEventData"].get("sessionId")
        name = record["eventName"]
        if session is None or name not in ("StartSession", "EndSession", "StoreRecording"):
            return
        stream = record["additionalEventData"]["chainStream"]
        entry = self.by_id.setdefault(session, {"stream": stream, "stored": 0})
        if name == "StoreRecording":
            entry["stored"] += 1
            return
        if name in entry:
            fault("session-twice", where, f"{session} has a second {name}")
        entry.setdefault(name, where)
        if name == "EndSession":
            entry["claimed"] = record["responseElements"].get("recordings")

    def finish(self, alive):
        for session, entry in self.by_id.items():
            start, end = entry.get("StartSession"), entry.get("EndSession")
            if start and not end and entry["stream"] not in alive:
                fault("session-without-end", start, session)
            if end and not start:
                fault("session-without-start", end, session)
            if end and entry.get("claimed") not in (None, str(entry["stored"])):
                fault("missing-recording", end, f"{session} has {entry['stored']} of {entry['claimed']}")


def check_recording(lake, where, record):
    key = record["responseElements"].get("recordingKey", "")
    data = read(lake, key)
    if data is None:
        return fault("missing-recording", where, key)
    if sha256(data) != record["responseElements"].get("recordingSha256"):
        return fault("recording-mismatch", where, key)
    manifest = json.loads(data)
    if (
        manifest["sessionId"] != record["additionalEventData"].get("sessionId")
        or manifest["recordingId"] != record["requestParameters"].get("recordingId")
    ):
        return fault("recording-mismatch", where, key)
    for chunk in manifest["chunks"] + manifest.get("originals", []):
        name = f"{key[: key.rindex('/')]}/{chunk['name']}"
        stored = read(lake, name)
        if stored is None:
            fault("missing-chunk", where, name)
        elif len(stored) != chunk["bytes"] or sha256(stored) != chunk["sha256"]:
            fault("chunk-mismatch", where, name)
    return None


# --- all of it


def verify_stream(lake, stream, segments, digests, keys, reference, as_of, sessions):
    """Whether the stream is alive."""
    trusted, unknown, broken = follow_digests(stream, digests, keys, reference)
    last = trusted[-1]["statement"] if trusted else None
    covered = last["lastSeq"] if last else 0
    named = {segment["key"]: (segment, digest["statement"]) for digest in trusted for segment in digest["statement"]["segments"]}
    chain, uncovered = Chain(stream), None
    for first_seq, day, key in segments:
        data = read(lake, key)
        trusted_records = []
        for number, record in records_of(key, data, stream):
            where = f"{key}:{number}"
            if record is None:
                chain.skip()
                continue
            extra = record["additionalEventData"]
            if (
                extra["chainStream"] != stream
                or extra.get("ingestTime", "")[:10] != day
                or (number == 1 and int(extra["chainSeq"]) != first_seq)
            ):
                fault("misplaced-record", where, "belongs somewhere else")
            chain.place(where, record, number == 1)
            sessions.enter(where, record)
            trusted_records.append(record)
            if record["eventName"] == "StoreRecording":
                check_recording(lake, where, record)
        if key in named:
            check_segment(key, data, trusted_records, *named.pop(key))
        elif any(low <= first_seq <= high for low, high in unknown):
            pass
        elif first_seq <= covered:
            fault("unlisted-segment", key, "no digest names it")
        elif uncovered is None and trusted_records:
            uncovered = trusted_records[0]["additionalEventData"]["ingestTime"]
    chain.finish()
    for key in named:
        fault("missing-segment", key, "a digest names it")
    if chain.last < covered:
        fault("missing-tail", stream, f"{covered} records were signed")
    if reference is not None and reference[0] > (digests[-1][0] if digests else 0):
        fault("missing-stream" if not digests and not segments else "missing-digest", reference[2], f"names {reference[0]} of {stream}")
        return False
    due = time_of(last["nextBy"]) if last and "nextBy" in last else time_of(uncovered) + GRACE if uncovered else None
    if due is not None and as_of > due and not broken:
        fault("missing-digest", stream, f"is due since {due}")
        return False
    return not broken and not (last and last["kind"] == "closing" and uncovered is None)


def check_segment(key, data, records, segment, statement):
    if len(data) != segment["bytes"] or sha256(data) != segment["sha256"]:
        return fault("segment-mismatch", key, "is not the one that was signed")
    chains = [record["additionalEventData"] for record in records]
    found = [
        {"key": record["responseElements"]["recordingKey"], "sha256": record["responseElements"]["recordingSha256"],
         "seq": int(record["additionalEventData"]["chainSeq"])}
        for record in records if record["eventName"] == "StoreRecording"
    ]
    signed = [each for each in statement["recordings"] if segment["firstSeq"] <= each["seq"] <= segment["lastSeq"]]
    says = (segment["firstSeq"], segment["lastSeq"], segment["firstHash"], segment["lastHash"])
    does = (int(chains[0]["chainSeq"]), int(chains[-1]["chainSeq"]), chains[0]["chainHash"], chains[-1]["chainHash"])
    if says != does or found != signed:
        fault("digest-mismatch", key, "its digest says otherwise")
    return None


def main(lake, as_of, *key_files):
    keys, sessions = Keys(key_files), Sessions()
    digests, references = read_digests(lake, keys)
    pattern = re.compile(r"events/dt=(\d{4}-\d\d-\d\d)/([a-z0-9][a-z0-9.-]{0,62})/(\d{12})\.ndjson\.gz")
    segments = {}
    for key in keys_below(lake, "events"):
        match = pattern.fullmatch(key)
        if match:
            segments.setdefault(match[2], []).append((int(match[3]), match[1], key))
    alive = set()
    for stream in sorted({*segments, *digests, *references}):
        parts = sorted(segments.get(stream, []))
        if verify_stream(lake, stream, parts, digests.get(stream, []), keys, references.get(stream), time_of(as_of), sessions):
            alive.add(stream)
    sessions.finish(alive)
    for kind, where, what in faults:
        print(kind, where, what, sep="\t")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
