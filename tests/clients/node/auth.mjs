// Checks who a server lets in, with a Node client: node auth.mjs PACKAGE nats://host:port users|token [authority.pem]
//
// The server runs with tests/clients/auth.conf, or with the token below.

import assert from "node:assert/strict";
import process from "node:process";

const TOKEN = "t0ken";
const SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";

// How long any single answer may take, in milliseconds.
const DEADLINE = 10_000;

const [package_name, url, kind, caFile] = process.argv.slice(2);
if (!kind) {
  console.error("usage: node auth.mjs PACKAGE nats://host:port users|token [authority.pem]");
  process.exit(2);
}
const { connect, nkeyAuthenticator } = await import(package_name);
const tls = caFile ? { tls: { caFile } } : {};

function open(options) {
  return connect({ servers: url.replace("nats://", ""), reconnect: false, timeout: DEADLINE, ...tls, ...options });
}

// A client with these options gets a message of its own on a subject.
async function let_in(options, subject) {
  const nc = await open(options);
  const sub = nc.subscribe(subject, { max: 1 });
  nc.publish(subject, "x");
  for await (const msg of sub) {
    assert.equal(msg.string(), "x");
  }
  assert.equal(sub.getReceived(), 1);
  return nc;
}

async function refused(options) {
  const error = await open(options).then(() => undefined, (error) => error);
  assert.ok(error, `let in with ${Object.keys(options)}`);
  assert.match(`${error.code} ${error.name} ${error.message}`, /authorization/i);
}

async function check_users() {
  await (await let_in({ user: "plain", pass: "§12" }, "any")).close();
  await (await let_in({ user: "hashed", pass: "foo" }, "any")).close();
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(SEED));
  const nc = await let_in({ authenticator }, "open.a");
  const told = new Promise((resolve) => nc.subscribe("closed", { callback: (error) => resolve(error) }));
  assert.match(`${await told}`, /permissions violation/i);
  await nc.close();
  await refused({ user: "plain", pass: "bar" });
  await refused({ user: "hashed", pass: "bar" });
  await refused({ token: "foo" });
  await refused({});
}

async function check_token() {
  await (await let_in({ token: TOKEN }, "any")).close();
  await refused({ token: `${TOKEN}x` });
  await refused({});
}

// Whatever does not come ends the program.
setTimeout(() => {
  console.error(`nothing after ${3 * DEADLINE} ms`);
  process.exit(1);
}, 3 * DEADLINE).unref();
process.stdout.write(`${package_name}: ${kind} ... `);
await { users: check_users, token: check_token }[kind]();
console.log("ok");
