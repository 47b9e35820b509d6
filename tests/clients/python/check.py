"""Checks a server with nats-py: check.py nats://host:port [authority.pem [certificate.pem key.pem]]

Prints the name of each check and `ok`, and stops with a non-zero status at the first that fails.
"""

import asyncio
import ssl
import sys
import time

import nats
from nats.errors import MaxPayloadError, NoRespondersError

# How long any single answer may take, in seconds.
DEADLINE = 10

# How soon the server must say that nobody listens, in seconds. The request itself would wait for DEADLINE.
NO_RESPONDERS_DEADLINE = 2


class Checks:
    """The checks, and the connections they share."""

    def __init__(self, url, authority, *certificate):
        self.url = url
        self.tls = ssl.create_default_context(cafile=authority) if authority else None
        if certificate:
            self.tls.load_cert_chain(*certificate)
        self.troubles = []
        self.main = None

    async def connect(self, **options):
        """A connection that never reconnects and remembers every trouble."""

        async def on_error(error):
            self.troubles.append(f"error {error!r}")

        async def on_disconnect():
            self.troubles.append("disconnected")

        return await nats.connect(
            self.url,
            allow_reconnect=False,
            error_cb=on_error,
            disconnected_cb=on_disconnect,
            connect_timeout=DEADLINE,
            tls=self.tls,
            **options,
        )

    async def check_connect(self):
        self.main = await self.connect(name="check")
        assert self.main.is_connected
        assert self.main.max_payload > 0
        assert self.main.client_id > 0
        assert self.main.connected_server_version.major == 2

    async def check_publish_subscribe(self):
        sub = await self.main.subscribe("py.plain")
        await self.main.publish("py.plain", b"hello", reply="py.reply")
        msg = await sub.next_msg(timeout=DEADLINE)
        assert (msg.subject, msg.reply, msg.data) == ("py.plain", "py.reply", b"hello")
        await sub.unsubscribe()
        await self.main.publish("py.plain", b"unheard")
        await settle(self.main)
        assert sub.delivered == 1

    async def check_wildcards(self):
        star = await self.main.subscribe("py.*.c")
        tail = await self.main.subscribe("py.a.>")
        for subject in ["py.a.b", "py.a.c", "py.b.c", "py.a", "py.a.b.c"]:
            await self.main.publish(subject, subject.encode())
        await settle(self.main)
        assert await taken(star, 2) == ["py.a.c", "py.b.c"]
        assert await taken(tail, 3) == ["py.a.b", "py.a.c", "py.a.b.c"]
        assert star.pending_msgs == 0 and tail.pending_msgs == 0
        await star.unsubscribe()
        await tail.unsubscribe()

    async def check_queue_group(self):
        total = 1000
        got = [[] for _ in range(4)]
        all_in = asyncio.Event()
        members = [await self.connect() for _ in got]
        for member, mine in zip(members, got):

            async def on_message(msg, mine=mine):
                mine.append(int(msg.data))
                if sum(map(len, got)) >= total:
                    all_in.set()

            await member.subscribe("py.work", queue="workers", cb=on_message)
            await settle(member)
        for number in range(total):
            await self.main.publish("py.work", b"%d" % number)
        await settle(self.main)
        await asyncio.wait_for(all_in.wait(), DEADLINE)
        for member in members:
            await settle(member)
        assert sorted(sum(got, [])) == list(range(total))
        assert all(mine and mine == sorted(mine) for mine in got)
        for member in members:
            await member.close()
        self.forget_closing(len(members))

    async def check_request_reply(self):
        async def answer(msg):
            await msg.respond(b"re: " + msg.data)

        service = await self.connect()
        await service.subscribe("py.service", cb=answer)
        await settle(service)
        for number in range(100):
            msg = await self.main.request("py.service", b"%d" % number, timeout=DEADLINE)
            assert msg.data == b"re: %d" % number
        requests = [self.main.request("py.service", b"%d" % number, timeout=DEADLINE) for number in range(100)]
        answers = await asyncio.gather(*requests)
        assert [msg.data for msg in answers] == [b"re: %d" % number for number in range(100)]
        old = await self.main.request("py.service", b"old", timeout=DEADLINE, old_style=True)
        assert old.data == b"re: old"
        await service.close()
        self.forget_closing(1)

    async def check_many_replies(self):
        async def answer(msg):
            for number in range(20):
                await msg.respond(b"%d" % number)

        await self.main.subscribe("py.many", cb=answer)
        inbox = self.main.new_inbox()
        sub = await self.main.subscribe(inbox)
        await self.main.publish("py.many", b"", reply=inbox)
        numbers = [int((await sub.next_msg(timeout=DEADLINE)).data) for _ in range(20)]
        assert numbers == list(range(20))
        await sub.unsubscribe()

    async def check_no_responders(self):
        for old_style in (False, True):
            start = time.monotonic()
            try:
                await self.main.request("py.nobody", b"", timeout=DEADLINE, old_style=old_style)
            except NoRespondersError:
                assert time.monotonic() - start < NO_RESPONDERS_DEADLINE
            else:
                raise AssertionError("somebody answered")

    async def check_headers(self):
        sub = await self.main.subscribe("py.headers")
        headers = {"Key": "one", "kEY": "two", "X-Long": "y" * 500, "Empty": ""}
        await self.main.publish("py.headers", b"body", headers=headers)
        msg = await sub.next_msg(timeout=DEADLINE)
        assert msg.data == b"body"
        assert msg.headers == headers, msg.headers
        await self.main.publish("py.headers", b"", headers={"Only": "this"})
        msg = await sub.next_msg(timeout=DEADLINE)
        assert (msg.data, msg.headers) == (b"", {"Only": "this"})
        await sub.unsubscribe()

    async def check_auto_unsubscribe(self):
        sub = await self.main.subscribe("py.max")
        await sub.unsubscribe(limit=3)
        for number in range(5):
            await self.main.publish("py.max", b"%d" % number)
        await settle(self.main)
        numbers = [int((await sub.next_msg(timeout=DEADLINE)).data) for _ in range(3)]
        assert numbers == [0, 1, 2] and sub.delivered == 3

    async def check_no_echo(self):
        quiet = await self.connect(no_echo=True)
        own = await quiet.subscribe("py.echo")
        other = await self.main.subscribe("py.echo")
        await settle(self.main)
        await quiet.publish("py.echo", b"from quiet")
        await settle(quiet)
        await self.main.publish("py.echo", b"from main")
        await settle(self.main)
        assert (await own.next_msg(timeout=DEADLINE)).data == b"from main"
        assert (await other.next_msg(timeout=DEADLINE)).data == b"from quiet"
        assert (await other.next_msg(timeout=DEADLINE)).data == b"from main"
        await quiet.close()
        await other.unsubscribe()
        self.forget_closing(1)

    async def check_largest_payload(self):
        sub = await self.main.subscribe("py.large")
        largest = bytes(range(256)) * (self.main.max_payload // 256)
        await self.main.publish("py.large", largest)
        assert (await sub.next_msg(timeout=DEADLINE)).data == largest
        try:
            await self.main.publish("py.large", largest + b"!")
        except MaxPayloadError:
            pass
        else:
            raise AssertionError("more than max_payload was accepted")
        await settle(self.main)
        await sub.unsubscribe()

    async def check_order(self):
        total = 10_000
        sub = await self.main.subscribe("py.order")
        publisher = await self.connect()
        await settle(self.main)
        for number in range(total):
            await publisher.publish("py.order", b"%d" % number)
        await settle(publisher)
        for number in range(total):
            assert (await sub.next_msg(timeout=DEADLINE)).data == b"%d" % number
        await publisher.close()
        await sub.unsubscribe()
        self.forget_closing(1)

    async def check_drain(self):
        total = 500
        got = []

        async def on_message(msg):
            got.append(int(msg.data))

        drained = await self.connect()
        await drained.subscribe("py.drain", cb=on_message)
        await settle(drained)
        for number in range(total):
            await self.main.publish("py.drain", b"%d" % number)
        await settle(self.main)
        await asyncio.wait_for(drained.drain(), DEADLINE)
        assert got == list(range(total)), len(got)
        assert drained.is_closed
        self.forget_closing(1)

    async def check_close(self):
        await settle(self.main)
        assert not self.troubles, self.troubles
        await self.main.close()
        assert self.main.is_closed
        assert self.troubles == ["disconnected"], self.troubles

    def forget_closing(self, count):
        """Connections that were closed on purpose report it once each; anything else is a failure."""
        assert self.troubles == ["disconnected"] * count, self.troubles
        self.troubles.clear()


async def settle(connection):
    """Returns when the server has processed everything. nats-py sends PING ahead of publishes that it still buffers;
    the second PING comes behind them."""
    await connection.flush(DEADLINE)
    await connection.flush(DEADLINE)


async def taken(sub, count):
    """The subjects of the next messages, which also are their payloads."""
    messages = [await sub.next_msg(timeout=DEADLINE) for _ in range(count)]
    assert all(msg.subject.encode() == msg.data for msg in messages)
    return [msg.subject for msg in messages]


async def main(url, authority=None, *certificate):
    checks = Checks(url, authority, *certificate)
    for name in [
        "connect",
        "publish_subscribe",
        "wildcards",
        "queue_group",
        "request_reply",
        "many_replies",
        "no_responders",
        "headers",
        "auto_unsubscribe",
        "no_echo",
        "largest_payload",
        "order",
        "drain",
        "close",
    ]:
        print(f"nats-py: {name} ... ", end="", flush=True)
        await getattr(checks, f"check_{name}")()
        print("ok", flush=True)


if len(sys.argv) not in (2, 3, 5):
    sys.exit("usage: check.py nats://host:port [authority.pem [certificate.pem key.pem]]")
asyncio.run(main(*sys.argv[1:]))
