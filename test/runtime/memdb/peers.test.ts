// Whose a connection is: every kind of address, and peers that are gone or never were here.

import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { guestOf, isProcessOf } from "../../../runtime/memdb/guest.js";
import { Users } from "../../../runtime/memdb/peers.js";
import { WireError } from "../../../runtime/memdb/wire.js";
import { ownIdentity } from "../../../runtime/stores/liveness.js";

const own = process.geteuid!();
const users = new Users();

/** A connection from `to` on this machine to a server that listens on `at`; the accepted end, and how to end it all. */
async function connected(at: string, to: string): Promise<{ accepted: Socket; peer: Socket; end(): void }> {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen({ host: at, port: 0 }, resolve));
  const { port } = server.address() as { port: number };
  const arrival = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const peer = connect({ host: to, port });
  peer.on("error", () => {});
  const accepted = await arrival;
  const end = () => {
    for (const socket of [peer, accepted]) socket.destroy();
    server.close();
  };
  return { accepted, peer, end };
}

const ways: [at: string, to: string][] = [
  ["127.0.0.1", "127.0.0.1"],
  ["127.0.0.2", "127.0.0.2"],
  ["0.0.0.0", "127.0.0.1"],
  ["127.0.0.1", "::ffff:127.0.0.1"],
  ["::", "127.0.0.1"],
  ["::", "::ffff:127.0.0.1"],
  ["::1", "::1"],
  ["::", "::1"],
];

for (const [at, to] of ways) {
  test(`a connection to ${at} by way of ${to} is this user's`, async () => {
    const { accepted, end } = await connected(at, to);
    assert.equal(await users.of(accepted), own);
    end();
  });
}

test("many at a time are looked up together", async () => {
  const all = await Promise.all(Array.from({ length: 50 }, () => connected("127.0.0.1", "127.0.0.1")));
  assert.deepEqual(new Set(await Promise.all(all.map(({ accepted }) => users.of(accepted)))), new Set([own]));
  for (const { end } of all) end();
});

test("a peer that has closed is nobody's: the kernel would say it was root's", async () => {
  const { accepted, peer, end } = await connected("127.0.0.1", "127.0.0.1");
  const ends = { ...addresses(accepted) };
  await new Promise<void>((resolve) => peer.end(() => resolve()));
  peer.destroy();
  assert.equal(await users.of(ends), undefined);
  end();
  assert.equal(await users.of(ends), undefined);
});

test("addresses that are not here, or none at all, are nobody's", async () => {
  assert.equal(await users.of({}), undefined);
  const ends = { localPort: 20015, remotePort: 1, localAddress: "127.0.0.1" };
  for (const remoteAddress of ["127.0.0.1", "192.0.2.7", "2001:db8::7", "fe80::1%eth0"]) {
    assert.equal(await users.of({ ...ends, remoteAddress }), undefined);
  }
});

function addresses({ localAddress, localPort, remoteAddress, remotePort }: Socket) {
  return { localAddress, localPort, remoteAddress, remotePort };
}

test("who may do what", () => {
  const told = (self: number, known: Partial<Parameters<typeof guestOf>[0]>): string => {
    try {
      const all = { unix: false, user: undefined, token: false, insecure: false, ...known };
      const { owner, trusted, stranger } = guestOf(all, self);
      return `${owner}${trusted ? ", trusted" : ""}${stranger ? ", stranger" : ""}`;
    } catch (error) {
      assert.ok(error instanceof WireError);
      return "refused";
    }
  };
  const table: [self: number, known: Partial<Parameters<typeof guestOf>[0]>, is: string][] = [
    [1000, { user: 1000 }, "user 1000, trusted"],
    [1000, { user: 0 }, "user 0, trusted"],
    [1000, { user: 1001 }, "refused"],
    [1000, {}, "refused"],
    [1000, { unix: true }, "user 1000, trusted"],
    [1000, { user: 1001, token: true }, "user 1001, trusted"],
    [1000, { token: true }, "token, trusted"],
    [1000, { user: 1001, insecure: true }, "user 1001, stranger"],
    [1000, { insecure: true }, "anybody"],
    [0, { user: 0 }, "user 0, trusted"],
    [0, { user: 1001 }, "user 1001, stranger"],
    [0, {}, "refused"],
  ];
  for (const [self, known, is] of table) assert.equal(told(self, known), is, `${self} ${JSON.stringify(known)}`);
});

test("whose a process is", () => {
  const identity = ownIdentity();
  const other = own + 12345;
  assert.equal(isProcessOf(own, identity), true);
  assert.equal(isProcessOf(other, identity), false);
  assert.equal(isProcessOf(0, identity), true);
  assert.equal(isProcessOf(other, { ...identity, start: identity.start + 1n }), undefined);
  assert.equal(isProcessOf(other, { ...identity, bootId: new Uint8Array(16).fill(1) }), undefined);
  assert.equal(isProcessOf(other, { ...identity, namespace: 1n }), undefined);
});
