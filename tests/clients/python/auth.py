"""Checks who a server lets in, with nats-py: auth.py nats://host:port users|token [authority.pem]

The server runs with tests/clients/auth.conf, or with the token below.
"""

import asyncio
import ssl
import sys
import tempfile

import nats

TOKEN = "t0ken"
SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
DEADLINE = 10


async def connect(url, **options):
    errors = []

    async def on_error(error):
        errors.append(str(error))

    client = await nats.connect(
        url, allow_reconnect=False, connect_timeout=DEADLINE, error_cb=on_error, tls=tls, **options
    )
    return client, errors


async def refused(url, **options):
    try:
        await connect(url, **options)
    except nats.errors.Error as error:
        assert "uthorization" in str(error) or "NoServers" in type(error).__name__, error
    else:
        raise AssertionError(f"let in with {sorted(options)}")


async def check_token(url):
    client, errors = await connect(url, token=TOKEN)
    sub = await client.subscribe("any")
    await client.publish("any", b"x")
    assert (await sub.next_msg(timeout=DEADLINE)).data == b"x"
    await client.close()
    assert not errors, errors
    await refused(url, token=TOKEN + "x")
    await refused(url)
    print("nats-py: token ... ok")


async def check_users(url):
    for user, password in [("plain", "§12"), ("hashed", "foo")]:
        client, errors = await connect(url, user=user, password=password)
        sub = await client.subscribe("any")
        await client.publish("any", b"x")
        assert (await sub.next_msg(timeout=DEADLINE)).data == b"x"
        await client.close()
        assert not errors, errors
        await refused(url, user=user, password="bar")
    await refused(url)
    await refused(url, token="foo")
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(SEED)
        file.flush()
        client, errors = await connect(url, nkeys_seed=file.name)
        sub = await client.subscribe("open.a")
        await client.publish("open.a", b"x")
        assert (await sub.next_msg(timeout=DEADLINE)).data == b"x"
        await client.publish("closed", b"x")
        await client.subscribe("closed")
        await client.flush()
        # The client tells of errors in tasks of their own.
        for _ in range(DEADLINE * 100):
            if len(errors) >= 2:
                break
            await asyncio.sleep(0.01)
        kinds = sorted(error.split('"')[0].strip() for error in errors)
        wanted = ["nats: permissions violation for publish to", "nats: permissions violation for subscription to"]
        assert kinds == wanted, errors
        await client.close()
    print("nats-py: users and nkeys ... ok")


if len(sys.argv) not in (3, 4):
    sys.exit("usage: auth.py nats://host:port users|token [authority.pem]")
tls = ssl.create_default_context(cafile=sys.argv[3]) if len(sys.argv) == 4 else None
check = {"users": check_users, "token": check_token}[sys.argv[2]]
asyncio.run(asyncio.wait_for(check(sys.argv[1]), 60))
