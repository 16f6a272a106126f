// Texts of frames: what is taken apart in place is what JSON says.

import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import { json } from "../../../runtime/host/json.js";
import { partsOf } from "../../../runtime/snapshots/frametext.js";
import { isFrame } from "../../../runtime/snapshots/snapshotframes.js";
import { randomNumbers } from "../../support/snapshots.js";

const FRAMES = [
  '["app","make_leak","src/leak.c",12]',
  '["","+0x10",null,null]',
  '["libx.so.1",null,"/usr/src/a b/é.c",0]',
  '["a","f","leak.c",900719925474099]',
];

/** A frame's text as its parts are, or null. */
function told(text: Buffer) {
  const parts = partsOf(text, 0, text.length);
  if (parts === null) return null;
  const { module, name, nameEnd, path, file, escaped } = parts;
  const between = (from: number, to: number) => text.toString("utf8", from, to);
  const rest = file === text.length ? null : `${between(path, file)}|${between(file, text.indexOf(0x22, file))}`;
  return { module: between(1, module), name: between(name, nameEnd), rest, escaped };
}

test("frame text: its parts", () => {
  assert.deepEqual(
    FRAMES.map((text) => told(Buffer.from(text))),
    [
      { module: '"app"', name: '"make_leak"', rest: "src/|leak.c", escaped: false },
      { module: '""', name: '"+0x10"', rest: null, escaped: false },
      { module: '"libx.so.1"', name: "null", rest: "/usr/src/a b/|é.c", escaped: false },
      { module: '"a"', name: '"f"', rest: "|leak.c", escaped: false },
    ],
  );
  assert.equal(told(Buffer.from('["a","f\\n",null,1]'))?.escaped, true);
});

test("frame text: 50,000 mutations are none, or what JSON says", () => {
  const random = randomNumbers(5);
  const signs = Buffer.from('[]",/\\0123456789null \n');
  let read = 0;
  for (let i = 0; i < 50_000; i++) {
    const text = Buffer.from(FRAMES[i % FRAMES.length]!);
    for (let k = 1 + random(2); k > 0; k--) text[random(text.length)] = signs[random(signs.length)]!;
    const parts = told(text);
    if (parts === null || parts.escaped) continue;
    read++;
    const frame = json(text.toString());
    assert.ok(isFrame(frame), text.toString());
    const [module, name, file] = frame;
    assert.deepEqual([json(parts.module), json(parts.name)], [module, name]);
    if (file !== null && !file.endsWith("/")) assert.equal(parts.rest?.split("|")[1], posix.basename(file));
    assert.equal(parts.rest?.replace("|", "") ?? null, file);
  }
  assert.ok(read > 5000, `${read} read`);
});
