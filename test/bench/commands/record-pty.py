"""Runs one program on a pty and records what a proxy at some distance from it would see, in both directions.

Reads from standard input {argv, env, cwd, columns, rows, rttMs, steps, output} and writes the recording to `output`.
Steps: {"keys": text} typed one by one, {"chunk": text} sent at once, {"expect": pattern} waits until the output since the last
step that typed matches, {"pauseMs": n}, {"columns": n, "rows": n}.
"""
import base64, fcntl, heapq, json, os, pty, random, re, select, signal, struct, sys, termios, time

job = json.load(sys.stdin)
pid, master = pty.fork()
if pid == 0:
    os.chdir(job["cwd"])
    os.execvpe(job["argv"][0], job["argv"], job["env"])

def resize(columns, rows):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

resize(job["columns"], job["rows"])
random.seed(job.get("seed", 1))
half = job["rttMs"] / 2000
start = time.monotonic()
events, queue, order = [], [], 0
seen, alive = "", True

def now():
    return time.monotonic() - start

def later(kind, data):
    global order
    order += 1
    heapq.heappush(queue, (now() + half, order, kind, data))

def record(kind, data):
    event = {"t": round(now(), 6), "k": kind}
    try:
        event["d"] = data.decode()
    except UnicodeDecodeError:
        event["b64"] = base64.b64encode(data).decode()
    events.append(event)

def run(until, pattern=None):
    """Moves bytes until the time, or until the output matches."""
    global seen, alive
    while True:
        while queue and queue[0][0] <= now():
            _, _, kind, data = heapq.heappop(queue)
            if kind == "out":
                record("o", data)
                seen += data.decode(errors="replace")
            elif kind == "in" and alive:
                os.write(master, data)
            elif kind == "size" and alive:
                resize(*data)
        if pattern and re.search(pattern, seen):
            return
        if now() >= until:
            return
        wait = min([until - now()] + [queue[0][0] - now()] if queue else [until - now()])
        if not alive:
            time.sleep(max(0, wait))
            continue
        if select.select([master], [], [], max(0, wait))[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            if data:
                later("out", data)
            else:
                alive = False
                if not queue:
                    return

def send(text):
    data = text.encode()
    record("i", data)
    later("in", data)

for step in job["steps"]:
    if not alive and not queue:
        break
    if "keys" in step:
        seen = ""
        for character in step["keys"]:
            send(character)
            run(now() + random.uniform(0.006, step.get("gapMs", 22) / 1000))
    elif "chunk" in step:
        seen = ""
        send(step["chunk"])
        run(now() + 0.01)
    elif "expect" in step:
        run(now() + step.get("timeoutMs", 6000) / 1000, step["expect"])
    elif "columns" in step:
        events.append({"t": round(now(), 6), "k": "r", "cols": step["columns"], "rows": step["rows"]})
        later("size", (step["columns"], step["rows"]))
    elif "pauseMs" in step:
        run(now() + step["pauseMs"] / 1000)
run(now() + 0.3 + 2 * half)
try:
    os.killpg(os.getpgid(pid), signal.SIGHUP)
    os.kill(pid, signal.SIGKILL)
except ProcessLookupError:
    pass
os.close(master)
os.waitpid(pid, 0)
with open(job["output"], "w") as file:
    header = {"type": "header", "version": 1, "cols": job["columns"], "rows": job["rows"], "latency_ms": job["rttMs"]}
    file.write(json.dumps({**header, **job["about"]}) + "\n")
    for event in events:
        file.write(json.dumps(event) + "\n")
