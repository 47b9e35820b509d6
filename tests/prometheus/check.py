"""Metrics as Prometheus reads them: check.py PROGRAM FOLDER

Starts the server with some traffic; promtool, which is in the folder, checks the text of its metrics, and the Prometheus
beside it scrapes them. What it then tells must be what the server tells.
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

PATIENCE = 30
NAME = 'a"name"\\of-ours'
ROUNDS, PAYLOAD = 100, b"x" * 50


def start(program):
    """The server, and the ports for documents and clients."""
    arguments = [program, "-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--name", NAME, "--workers", "2"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    ports = {}
    for line in process.stderr:
        for name in ("http monitor", "client connections"):
            found = re.search(name + r" on 127\.0\.0\.1:(\d+)", line)
            if found:
                ports[name] = int(found.group(1))
        if len(ports) == 2:
            break
    assert len(ports) == 2, "the server did not say where it listens"
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process, ports["http monitor"], ports["client connections"]


def traffic(port):
    """Messages to one reader, and a connection that has been closed."""
    client = socket.create_connection(("127.0.0.1", port))
    message = b"PUB a.b %d\r\n%s\r\n" % (len(PAYLOAD), PAYLOAD)
    client.sendall(b'CONNECT {"verbose":false}\r\nSUB a.* 1\r\n' + message * ROUNDS + b"PING\r\n")
    answer = b""
    while not answer.endswith(b"PONG\r\n"):
        answer += client.recv(65536)
    with socket.create_connection(("127.0.0.1", port)) as wrong:
        wrong.sendall(b"WHAT\r\n")
        while wrong.recv(4096):
            pass
    return client


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
        return reply.read()


def free_port():
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def scrape(folder, http):
    """What a Prometheus has found after its first looks: a function from a query to its samples."""
    scratch = tempfile.TemporaryDirectory()
    config = f"{scratch.name}/prometheus.yml"
    with open(config, "w", encoding="utf-8") as file:
        job = {"job_name": "midge", "static_configs": [{"targets": [f"127.0.0.1:{http}"]}]}
        json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}, file)
    base = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [f"{folder}/prometheus", f"--config.file={config}", f"--storage.tsdb.path={scratch.name}/data",
         "--web.listen-address=" + base.removeprefix("http://")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )

    def query(text):
        found = json.loads(get(f"{base}/api/v1/query?query={urllib.parse.quote(text)}"))["data"]["result"]
        return {tuple(sorted(sample["metric"].items())): float(sample["value"][1]) for sample in found}

    end = time.monotonic() + PATIENCE
    while True:
        try:
            up = query("up")
        except OSError:
            up = {}
        if list(up.values()) == [1.0]:
            return process, scratch, query
        assert time.monotonic() < end and process.poll() is None, f"nothing was scraped: {up}"
        time.sleep(0.2)


def main():
    program, folder = sys.argv[1:]
    server, http, port = start(program)
    prometheus = None
    try:
        client = traffic(port)
        metrics = get(f"http://127.0.0.1:{http}/metrics")
        checked = subprocess.run([f"{folder}/promtool", "check", "metrics"], input=metrics, capture_output=True)
        assert checked.returncode == 0 and not checked.stderr, checked.stderr.decode()
        families = {line.split()[2] for line in metrics.decode().splitlines() if line.startswith("# TYPE ")}
        assert len(families) > 30, families
        prometheus, scratch, query = scrape(folder, http)
        # Every family that has samples has come through.
        told = {name for series in query('{job="midge"}') for key, name in series if key == "__name__"}
        sampled = {re.match(r"\w+", line)[0] for line in metrics.decode().splitlines() if not line.startswith("#")}
        assert sampled <= told, sampled - told
        value = lambda text: list(query(text).values())
        assert value('midge_messages_total{direction="in"}') == [ROUNDS]
        assert value('midge_message_bytes_total{direction="out"}') == [ROUNDS * len(PAYLOAD)]
        assert value('midge_closed_connections_total{reason="Protocol Violation"}') == [1]
        names = [dict(series)["server_name"] for series in query("midge_info")]
        assert names == [NAME], names
        client.close()
    finally:
        server.kill()
        if prometheus:
            prometheus.kill()
            prometheus.wait()
            scratch.cleanup()
    print(f"prometheus: {len(families)} series of metrics are as promtool and Prometheus want them")


main()
