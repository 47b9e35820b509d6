"""Starts a midge and has a client publish and receive: smoke.py PROGRAM-AND-ARGUMENTS...

Standard library alone. Exits with 0 when the message came through and the server ended in order on SIGTERM.
"""

import re
import signal
import socket
import subprocess
import sys
import threading

# Seconds for anything; an emulated server on a busy machine needs some.
PATIENCE = 60


def main(command):
    server = subprocess.Popen([*command, "-a", "127.0.0.1", "-p", "-1"], stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(PATIENCE, server.kill)
    watchdog.start()
    try:
        host, port = address(server.stderr)
        exchange(host, port)
        server.send_signal(signal.SIGTERM)
        server.stderr.read()
        if server.wait() != 0:
            sys.exit(f"smoke: the server ended with {server.returncode}")
    finally:
        watchdog.cancel()
        server.kill()
        server.wait()


def address(log):
    seen = ""
    for line in log:
        seen += line
        found = re.search(r"Listening for client connections on (.+):(\d+)", line)
        if found:
            return found[1], int(found[2])
    sys.exit(f"smoke: the server did not say where it listens:\n{seen}")


def exchange(host, port):
    """A message of 100 kB: more than a read or two."""
    payload = bytes(range(256)) * 400
    with socket.create_connection((host, port), PATIENCE) as link:
        stream = link.makefile("rwb")
        if not stream.readline().startswith(b"INFO {"):
            sys.exit("smoke: no INFO")
        stream.write(b'CONNECT {"verbose":false}\r\nSUB smoke.* 1\r\n')
        stream.write(b"PUB smoke.test %d\r\n%s\r\nPING\r\n" % (len(payload), payload))
        stream.flush()
        expected = b"MSG smoke.test 1 %d\r\n%s\r\nPONG\r\n" % (len(payload), payload)
        if stream.read(len(expected)) != expected:
            sys.exit("smoke: not the message that was sent")


main(sys.argv[1:])
