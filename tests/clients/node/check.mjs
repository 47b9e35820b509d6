// Checks a server with a Node client: node check.mjs PACKAGE nats://host:port [authority.pem [certificate.pem key.pem]]
//
// PACKAGE is `nats` or `@nats-io/transport-node`, whose calls are alike. Prints the name of each check and `ok`, and
// stops with a non-zero status at the first that fails.

import assert from "node:assert/strict";
import process from "node:process";

// How long any single answer may take, in milliseconds.
const DEADLINE = 10_000;

// How soon the server must say that nobody listens, in milliseconds. The request itself would wait for DEADLINE.
const NO_RESPONDERS_DEADLINE = 2_000;

const [package_name, url, caFile, certFile, keyFile] = process.argv.slice(2);
if (!url) {
  console.error("usage: node check.mjs PACKAGE nats://host:port [authority.pem [certificate.pem key.pem]]");
  process.exit(2);
}
const { connect, createInbox, headers } = await import(package_name);

// Nothing without TLS, so that a client which then goes on in plain text is found out.
const tls = caFile ? { tls: { caFile, certFile, keyFile } } : {};

const encode = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);
const number_of = (msg) => Number(decode(msg.data));
const count_to = (total) => Array.from({ length: total }, (_, number) => number);

// A connection that never reconnects.
function open(options = {}) {
  const address = url.replace("nats://", "");
  return connect({ servers: address, reconnect: false, timeout: DEADLINE, ...tls, ...options });
}

// Fails instead of waiting for ever.
async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${DEADLINE} ms`)), DEADLINE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// The next messages of a subscription.
async function taken(sub, count) {
  const messages = [];
  const all = (async () => {
    if (count === 0) return messages;
    for await (const msg of sub) {
      messages.push(msg);
      if (messages.length === count) break;
    }
    return messages;
  })();
  return await within(all, sub.getSubject());
}

// Closes a connection, which must not have had any trouble.
async function close(nc) {
  await nc.close();
  const trouble = await within(nc.closed(), "close");
  assert.equal(trouble, undefined);
}

let main;

const checks = {
  async connect() {
    main = await open({ name: "check" });
    assert.equal(main.isClosed(), false);
    assert.ok(main.info.max_payload > 0);
    assert.ok(main.info.client_id > 0);
    assert.match(main.info.version, /^2\./);
    assert.ok((await main.rtt()) >= 0);
  },

  async publish_subscribe() {
    const sub = main.subscribe("js.plain");
    main.publish("js.plain", encode("hello"), { reply: "js.reply" });
    const [msg] = await taken(sub, 1);
    assert.deepEqual([msg.subject, msg.reply, decode(msg.data)], ["js.plain", "js.reply", "hello"]);
    sub.unsubscribe();
    main.publish("js.plain", encode("unheard"));
    await main.flush();
    assert.equal(sub.getReceived(), 1);
  },

  async wildcards() {
    const star = main.subscribe("js.*.c");
    const tail = main.subscribe("js.a.>");
    for (const subject of ["js.a.b", "js.a.c", "js.b.c", "js.a", "js.a.b.c"]) {
      main.publish(subject);
    }
    await main.flush();
    assert.equal(star.getReceived(), 2);
    assert.equal(tail.getReceived(), 3);
    const subjects = async (sub, count) => (await taken(sub, count)).map((msg) => msg.subject);
    assert.deepEqual(await subjects(star, 2), ["js.a.c", "js.b.c"]);
    assert.deepEqual(await subjects(tail, 3), ["js.a.b", "js.a.c", "js.a.b.c"]);
  },

  async queue_group() {
    const total = 1000;
    const members = await Promise.all(count_to(4).map(() => open()));
    const got = members.map(() => []);
    const all_in = new Promise((resolve) => {
      members.forEach((member, index) => {
        member.subscribe("js.work", {
          queue: "workers",
          callback: (_, msg) => {
            got[index].push(number_of(msg));
            if (got.flat().length >= total) resolve();
          },
        });
      });
    });
    await Promise.all(members.map((member) => member.flush()));
    count_to(total).forEach((number) => main.publish("js.work", encode(`${number}`)));
    await main.flush();
    await within(all_in, "queue group");
    await Promise.all(members.map((member) => member.flush()));
    const sorted = (numbers) => numbers.slice().sort((a, b) => a - b);
    assert.deepEqual(sorted(got.flat()), count_to(total));
    got.forEach((mine) => {
      assert.ok(mine.length > 0);
      assert.deepEqual(mine, sorted(mine));
    });
    for (const member of members) await close(member);
  },

  async request_reply() {
    const service = await open();
    service.subscribe("js.service", { callback: (_, msg) => msg.respond(encode(`re: ${decode(msg.data)}`)) });
    await service.flush();
    const ask = async (text, options) => {
      const msg = await main.request("js.service", encode(text), { timeout: DEADLINE, ...options });
      return decode(msg.data);
    };
    for (const number of count_to(100)) {
      assert.equal(await ask(`${number}`), `re: ${number}`);
    }
    const answers = await Promise.all(count_to(100).map((number) => ask(`${number}`)));
    assert.deepEqual(answers, count_to(100).map((number) => `re: ${number}`));
    assert.equal(await ask("plain inbox", { noMux: true }), "re: plain inbox");
    await close(service);
  },

  async many_replies() {
    const service = main.subscribe("js.many", {
      callback: (_, msg) => count_to(20).forEach((number) => msg.respond(encode(`${number}`))),
    });
    const inbox = createInbox();
    const sub = main.subscribe(inbox);
    main.publish("js.many", undefined, { reply: inbox });
    assert.deepEqual((await taken(sub, 20)).map(number_of), count_to(20));
    const options = { strategy: "count", maxMessages: 20, maxWait: DEADLINE };
    const replies = [];
    for await (const msg of await main.requestMany("js.many", undefined, options)) {
      replies.push(number_of(msg));
    }
    assert.deepEqual(replies, count_to(20));
    service.unsubscribe();
  },

  async no_responders() {
    for (const noMux of [false, true]) {
      const start = performance.now();
      const error = await main.request("js.nobody", undefined, { timeout: DEADLINE, noMux }).catch((error) => error);
      assert.ok(error instanceof Error, "somebody answered");
      const told = error.code === "503" || (error.isNoResponders?.() ?? error.name === "NoRespondersError");
      assert.ok(told, `${error}`);
      assert.ok(performance.now() - start < NO_RESPONDERS_DEADLINE);
    }
  },

  async headers() {
    const sub = main.subscribe("js.headers");
    const sent = headers();
    sent.append("Key", "one");
    sent.append("Key", "two");
    sent.append("X-Long", "y".repeat(500));
    main.publish("js.headers", encode("body"), { headers: sent });
    const only = headers();
    only.set("Only", "this");
    main.publish("js.headers", undefined, { headers: only });
    const [msg, empty] = await taken(sub, 2);
    assert.equal(decode(msg.data), "body");
    assert.deepEqual(msg.headers.values("Key"), ["one", "two"]);
    assert.equal(msg.headers.get("X-Long"), "y".repeat(500));
    assert.equal(empty.data.length, 0);
    assert.equal(empty.headers.get("Only"), "this");
  },

  async auto_unsubscribe() {
    const sub = main.subscribe("js.max", { max: 3 });
    count_to(5).forEach((number) => main.publish("js.max", encode(`${number}`)));
    await main.flush();
    assert.deepEqual((await taken(sub, 3)).map(number_of), [0, 1, 2]);
    const raised = main.subscribe("js.raised", { max: 1 });
    raised.unsubscribe(2);
    count_to(4).forEach((number) => main.publish("js.raised", encode(`${number}`)));
    await main.flush();
    assert.deepEqual((await taken(raised, 2)).map(number_of), [0, 1]);
    assert.deepEqual([sub.getReceived(), raised.getReceived()], [3, 2]);
  },

  async no_echo() {
    const quiet = await open({ noEcho: true });
    const own = quiet.subscribe("js.echo");
    const other = main.subscribe("js.echo");
    await Promise.all([quiet.flush(), main.flush()]);
    quiet.publish("js.echo", encode("from quiet"));
    await quiet.flush();
    main.publish("js.echo", encode("from main"));
    await main.flush();
    const texts = async (sub, count) => (await taken(sub, count)).map((msg) => decode(msg.data));
    assert.deepEqual(await texts(own, 1), ["from main"]);
    assert.deepEqual(await texts(other, 2), ["from quiet", "from main"]);
    await close(quiet);
  },

  async largest_payload() {
    const sub = main.subscribe("js.large");
    const largest = Uint8Array.from({ length: main.info.max_payload }, (_, index) => index & 0xff);
    main.publish("js.large", largest);
    const [msg] = await taken(sub, 1);
    assert.equal(Buffer.compare(msg.data, largest), 0);
    assert.throws(() => main.publish("js.large", new Uint8Array(largest.length + 1)), /max_?payload/i);
    await main.flush();
  },

  async order() {
    const total = 10_000;
    const publisher = await open();
    const sub = main.subscribe("js.order");
    await main.flush();
    count_to(total).forEach((number) => publisher.publish("js.order", encode(`${number}`)));
    await publisher.flush();
    assert.deepEqual((await taken(sub, total)).map(number_of), count_to(total));
    await close(publisher);
  },

  async drain() {
    const drained = await open();
    const got = [];
    drained.subscribe("js.drain", { callback: (_, msg) => got.push(number_of(msg)) });
    await drained.flush();
    count_to(500).forEach((number) => main.publish("js.drain", encode(`${number}`)));
    await main.flush();
    await within(drained.drain(), "drain");
    assert.deepEqual(got, count_to(500));
    assert.ok(drained.isClosed());
  },

  async close() {
    await main.flush();
    await close(main);
    assert.ok(main.isClosed());
  },
};

for (const [name, check] of Object.entries(checks)) {
  process.stdout.write(`${package_name}: ${name} ... `);
  await check();
  console.log("ok");
}
