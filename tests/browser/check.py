"""The status page in a real browser: check.py PROGRAM BROWSER FOLDER

Starts the server, gives it something to show, and looks at its page with the mouse, the keyboard, on a telephone and without
JavaScript. Pictures of it are put into the folder. The browser is spoken to over a pair of pipes in its own protocol, so that
no package is needed for that.
"""

import base64
import json
import math
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PATIENCE = 20
DESKTOP = {"width": 1100, "height": 900, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}


def until(what, look, patience=PATIENCE):
    """Waits until `look` gives something that is true."""
    end = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


class Server:
    """The server, with clients that publish, listen, and do not read."""

    def __init__(self, program, folder):
        config = f"{folder}/midge.conf"
        with open(config, "w", encoding="utf-8") as file:
            file.write("server_name: garden-shed\nwrite_deadline: '10m'\n")
        arguments = [program, "-c", config, "-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--workers", "2"]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        ports = {}
        for line in self.process.stderr:
            for name in ("http monitor", "client connections"):
                found = re.search(name + r" on 127\.0\.0\.1:(\d+)", line)
                if found:
                    ports[name] = int(found.group(1))
            if len(ports) == 2:
                break
        assert len(ports) == 2, "the server did not say where it listens"
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.port, self.base = ports["client connections"], f"http://127.0.0.1:{ports['http monitor']}/"
        self.clients = []
        self.over = threading.Event()

    def client(self, name, text="", lag=False):
        client = socket.socket()
        if lag:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self.port))
        client.sendall(f'CONNECT {{"verbose":false,"name":"{name}"}}\r\n{text}PING\r\n'.encode())
        bytes_in = b""
        while b"PONG\r\n" not in bytes_in:
            bytes_in += client.recv(65536)
        self.clients.append(client)
        return client

    def populate(self):
        readers = [self.client(name, "SUB garden.> 1\r\nSUB alarm 2\r\n") for name in ("display", "recorder")]
        self.client("sleeper", "SUB garden.camera 1\r\n", lag=True)
        self.publisher = self.client("thermometer")
        # Enough for the one that does not read to have some of it wait.
        picture = b"x" * 8000
        for _ in range(1000):
            self.publisher.sendall(b"PUB garden.camera 8000\r\n" + picture + b"\r\n")
        threading.Thread(target=self.publish, daemon=True).start()
        for reader in readers:
            threading.Thread(target=self.drain, args=(reader,), daemon=True).start()

    def publish(self):
        message = b"PUB garden.temperature 5\r\n21.50\r\n"
        start = time.monotonic()
        while not self.over.wait(0.01):
            # Some 2000 a second, now more and now less.
            self.publisher.sendall(message * round(20 + 6 * math.sin((time.monotonic() - start) / 2)))

    def drain(self, reader):
        while not self.over.is_set() and reader.recv(65536):
            pass

    def get(self, path):
        with urllib.request.urlopen(self.base + path.removeprefix("./"), timeout=PATIENCE) as reply:
            return reply.read().decode()

    def stop(self):
        self.over.set()
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


class Browser:
    """A headless browser with one page."""

    def __init__(self, program, folder):
        commands, self.send_end = os.pipe()
        self.receive_end, answers = os.pipe()
        flags = [
            "--remote-debugging-pipe", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--disable-background-networking", "--no-first-run", f"--user-data-dir={folder}", "about:blank",
        ]
        script = f'exec "$0" "$@" 3<&{commands} 4>&{answers}'
        self.process = subprocess.Popen(
            ["sh", "-c", script, program, *flags], pass_fds=(commands, answers), stderr=subprocess.DEVNULL
        )
        os.close(commands)
        os.close(answers)
        self.number, self.buffer, self.events, self.answers, self.session = 0, b"", [], {}, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            assert select.select([self.receive_end], [], [], PATIENCE)[0], "the browser says nothing"
            part = os.read(self.receive_end, 1 << 20)
            assert part, "the browser has gone"
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.send_end, json.dumps(message).encode() + b"\0")
        number, end = self.number, time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end, f"no answer to {method}"
            if number in self.answers:
                message = self.answers.pop(number)
                assert "error" not in message, f"{method}: {message}"
                return message["result"]
            message = self.receive()
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.notice(message)

    def notice(self, message):
        self.events.append(message)
        if message.get("method") == "Fetch.requestPaused":
            body = base64.b64encode(json.dumps(self.instead).encode()).decode()
            self.call("Fetch.fulfillRequest", requestId=message["params"]["requestId"], responseCode=200, body=body)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        until("the page is there", lambda: self.value("document.readyState") == "complete")

    def show_on(self, screen):
        self.call("Emulation.setDeviceMetricsOverride", **screen)
        self.call("Emulation.setTouchEmulationEnabled", enabled=screen["mobile"])

    def key(self, key, code, text=""):
        more = {"text": text} if text else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)
            more = {}

    def picture(self, path):
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))

    def faults(self):
        """What the page complained of, and what it asked of anybody but the server."""
        told = []
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown" or (method == "Log.entryAdded" and parameters["entry"]["level"] == "error"):
                told.append(parameters)
        return told

    def asked(self):
        sent = (event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent")
        return {parameters["request"]["url"] for parameters in sent}

    def stop(self):
        self.process.kill()
        self.process.wait()


POINTS = "Math.min(...[...document.querySelectorAll('polyline')].map(line => line.points.length))"
TEXT = "[...document.querySelectorAll({})].map(found => found.textContent.trim())"


def texts(browser, selector):
    return browser.value(TEXT.format(json.dumps(selector)))


def figures(browser, which):
    return dict(zip(texts(browser, f"#{which} dt"), texts(browser, f"#{which} dd")))


def check_figures(browser, server):
    until("the page is live", lambda: texts(browser, "#state") == ["live"])
    until("there are rates", lambda: not figures(browser, "figures")["messages in"].startswith("0"))
    varz = json.loads(server.get("varz"))
    shown = figures(browser, "figures")
    assert browser.value("document.title") == "midge garden-shed"
    assert shown["connections"] == f"{varz['connections']} of {varz['max_connections']}", shown
    assert shown["routes"] == "0" and shown["slow consumers"] == "0", shown
    assert shown["memory"].endswith(" MiB") and shown["processor"].endswith(" %"), shown
    rate = float(re.match(r"([\d.]+)k/s", shown["messages in"]).group(1)) * 1000
    assert 800 < rate < 3000, f"{rate} messages/s of some 2000"
    assert figures(browser, "interest")["subscriptions"] == "5"
    assert browser.value(POINTS) >= 1
    first = texts(browser, "#connections tr:first-child td")
    assert first[1] in ("thermometer", "display", "recorder"), first
    headings = texts(browser, "#connections tr")
    assert len(headings) == 4, headings


def check_keyboard(browser):
    """All that can be done is done with keys alone, and where they go is seen."""
    browser.value("document.activeElement.blur()")
    seen = []
    for _ in range(30):
        browser.key("Tab", 9)
        place = browser.value(
            "(at => at === document.body ? '' : at.getAttribute('href') || at.name)(document.activeElement)"
        )
        if place in seen or not place:
            break
        outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline not in ("none", ""), f"it is not seen that {place} has the keys"
        seen.append(place)
    assert seen[-2:] == ["subject", "by"] and seen[0] == "./varz" and len(seen) == 14, seen
    browser.value("document.querySelector('[name=by]:checked').focus()")
    browser.key("ArrowDown", 40)
    by_pending = lambda: texts(browser, "#connections tr:first-child td")
    until("the one that does not read is first", lambda: (by_pending() or ["", ""])[1] == "sleeper")
    assert by_pending()[4] != "0 B", by_pending()
    browser.value("document.querySelector('[name=subject]').focus()")
    browser.call("Input.insertText", text="garden.camera")
    browser.key("Enter", 13, "\r")
    until("interest is told", lambda: texts(browser, "output") == ["3 subscriptions"])
    browser.call("Input.insertText", text=".>")
    browser.key("Enter", 13, "\r")
    until("nonsense is told", lambda: "must be valid" in texts(browser, "output")[0])


def check_routes(browser):
    """The page with a document as servers of a cluster give it."""
    route = {
        "rid": 5, "remote_id": "N", "remote_name": "house", "ip": "127.0.0.1", "port": 6222, "rtt": "182\u00b5s",
        "pending_size": 2048, "in_msgs": 0, "out_msgs": 1, "in_bytes": 0, "out_bytes": 3, "subscriptions": 2,
    }
    assert browser.value("document.querySelector('#routes').hidden")
    browser.instead = {"now": "2026-11-23T09:27:03Z", "num_routes": 1, "routes": [route]}
    browser.call("Fetch.enable", patterns=[{"urlPattern": "*/routez"}])
    until("the route is there", lambda: not browser.value("document.querySelector('#routes').hidden"))
    assert texts(browser, "#routes td") == ["5", "house", "0", "0", "2.0 KiB", "2", "182\u00b5s"], texts(browser, "#routes td")
    browser.call("Fetch.disable")
    until("it has gone", lambda: browser.value("document.querySelector('#routes').hidden"))


def check_phone(browser, server, pictures):
    browser.show_on(PHONE)
    browser.open(server.base)
    until("the page is live", lambda: texts(browser, "#state") == ["live"])
    until("there are rates", lambda: not figures(browser, "figures")["messages in"].startswith("0"))
    width = browser.value("document.documentElement.scrollWidth")
    assert width <= PHONE["width"], f"{width} pixels wide"
    small = browser.value(
        "[...document.querySelectorAll('a, label, dd, td')].filter(at => at.offsetParent)"
        ".filter(at => parseFloat(getComputedStyle(at).fontSize) < 14).map(at => at.textContent)"
    )
    assert not small, f"too small to read: {small}"
    close = browser.value(
        "[...document.querySelectorAll('nav a')].map(at => at.getBoundingClientRect()).filter(at => at.height < 24).length"
    )
    assert close == 0, f"{close} links are too low for a finger"
    browser.picture(f"{pictures}/status-phone.png")


def check_without_scripts(browser, server):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.call("Page.navigate", url=server.base)
    until("the page is there", lambda: texts(browser, "nav a"))
    assert browser.value("getComputedStyle(document.querySelector('main')).display") == "none"
    assert "Without JavaScript" in texts(browser, "#state")[0]
    links = browser.value("[...document.querySelectorAll('nav a')].map(link => link.getAttribute('href'))")
    assert len(links) == 12, links
    for link in links:
        assert server.get(link), link
    # One of them as people follow it.
    place = browser.value("(at => [at.x + at.width / 2, at.y + at.height / 2])(document.querySelector('nav a').getBoundingClientRect())")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
    until("the document is there", lambda: "garden-shed" in (browser.value("document.body.textContent") or ""))
    browser.call("Emulation.setScriptExecutionDisabled", value=False)


def main():
    program, browser_program, pictures = sys.argv[1:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(program, folder)
        browser = Browser(browser_program, folder)
        try:
            server.populate()
            browser.show_on(DESKTOP)
            browser.open(server.base)
            check_figures(browser, server)
            # A line that is long enough to be seen.
            until("there are ten rates", lambda: browser.value(POINTS) >= 10, 60)
            browser.picture(f"{pictures}/status.png")
            check_keyboard(browser)
            check_routes(browser)
            check_phone(browser, server, pictures)
            strangers = [url for url in browser.asked() if not url.startswith(server.base)]
            assert not strangers and not browser.faults(), (strangers, browser.faults())
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
            browser.picture(f"{pictures}/status-dark.png")
            check_without_scripts(browser, server)
            browser.show_on(DESKTOP)
            browser.open(server.base)
            until("the page is live", lambda: texts(browser, "#state") == ["live"])
            server.stop()
            until("the page says that nobody answers", lambda: texts(browser, "#state")[0].startswith("no answer"))
        finally:
            server.process.kill()
            browser.stop()
    print(f"browser: the status page is as it should be; pictures are in {pictures}")


main()
