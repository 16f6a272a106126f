// asm/FORMAT.md agrees with asm/layout.ts.

import { read } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

/** Records that leave room for new fields behind the last one. */
const ROOM_AT_END = new Set(["HEADER", "ARRAY"]);
const LINE_BYTES = 64;

/** @returns {Violation[]} */
export function checkFormat(root) {
  const layoutFile = "asm/layout.ts";
  const file = "asm/FORMAT.md";
  const found = [];
  const values = new Map();
  /** Constants on neighbouring lines: a record's fields, or the values of one field. */
  const runs = [[]];
  read(root, layoutFile)
    .split("\n")
    .forEach((text, index) => {
      const match = /^export const (\w+) = (\w+);$/.exec(text);
      if (match) {
        values.set(match[1], Number(match[2]));
        runs.at(-1).push({ name: match[1], value: Number(match[2]), line: index + 1 });
      } else if (runs.at(-1).length > 0) runs.push([]);
    });

  const complain = (line, what) => found.push({ file, line, what });
  const expectValue = (line, name, value) => {
    if (!values.has(name)) complain(line, `${name} is not in ${layoutFile}`);
    else if (values.get(name) !== value)
      complain(line, `${name} is ${value} here and ${values.get(name)} in ${layoutFile}`);
  };
  const described = new Set();
  const lines = read(root, file).split("\n");
  /** The fields of the table that is being read. */
  let fields = [];
  const endTable = () => {
    if (fields.length > 0) checkRecord(fields, values, layoutFile, complain);
    fields = [];
  };
  lines.forEach((text, index) => {
    const line = index + 1;
    const field = /^\| `([A-Z][A-Z0-9_]*)` \| (\d+) \| (\d+|…) \|/.exec(text);
    if (field) {
      const [, name, offset, size] = field;
      expectValue(line, name, Number(offset));
      described.add(name);
      fields.push({ name, line, offset: Number(offset), size: size === "…" ? Number.POSITIVE_INFINITY : Number(size) });
      return;
    }
    if (!text.startsWith("|")) endTable();
    const numbered = /^\| (\d+) \| `([A-Z][A-Z0-9_]*)` \|/.exec(text);
    if (numbered) expectValue(line, numbered[2], Number(numbered[1]));
    const region = /^\| ([a-z][a-z ]*) \| (\d+) \| (\d+) \|/.exec(text);
    if (region) {
      const name = region[1].toUpperCase().replaceAll(" ", "_");
      if (values.has(`${name}_OFFSET`)) expectValue(line, `${name}_OFFSET`, Number(region[2]));
      const count = values.get(`${name}_MAX_COUNT`);
      if (count !== undefined) expectValue(line, `${name.replace(/S$/, "")}_BYTES`, Number(region[3]) / count);
      else if (values.has(`${name}_BYTES`)) expectValue(line, `${name}_BYTES`, Number(region[3]));
    }
    const kind = /^\| (\d+) \| ([a-z]+)s \| (\d+) \|/.exec(text);
    if (kind) {
      const name = kind[2].toUpperCase();
      expectValue(line, `KIND_${name}S`, Number(kind[1]));
      if (values.has(`${name}_BYTES`)) expectValue(line, `${name}_BYTES`, Number(kind[3]));
    }
    for (const [, name, value] of text.matchAll(/`([A-Z][A-Z0-9_]+)` \((\d+)\)/g))
      expectValue(line, name, Number(value));
  });
  endTable();

  for (const run of runs) {
    const size = run.findIndex(({ name }) => name.endsWith("_BYTES"));
    const isRecord = size > 0 && run[0].value === 0;
    if (!isRecord && !run.some(({ name }) => described.has(name))) continue;
    for (const { name, line } of size > 0 ? run.slice(0, size) : run) {
      if (!described.has(name)) found.push({ file: layoutFile, line, what: `${name} is in no table of ${file}` });
    }
  }
  return found;
}

/** One record: fields in order, no overlap, no gap but before a new cache line, and they make up its size. */
function checkRecord(fields, values, layoutFile, complain) {
  let end = 0;
  for (const { name, line, offset, size } of fields) {
    if (offset < end) complain(line, `${name} overlaps the field before it, which ends at ${end}`);
    if (offset > end && offset % LINE_BYTES !== 0) complain(line, `a gap before ${name}, from ${end} to ${offset}`);
    end = offset + size;
  }
  const first = fields[0].name.split("_");
  const { line } = fields.at(-1);
  for (let words = first.length - 1; words > 0; words--) {
    const record = first.slice(0, words).join("_");
    const bytes = values.get(`${record}_BYTES`);
    if (bytes === undefined || !fields.every(({ name }) => name.startsWith(`${record}_`))) continue;
    if (end > bytes || (end < bytes && !ROOM_AT_END.has(record))) {
      complain(line, `the fields end at ${end}, ${record}_BYTES in ${layoutFile} is ${bytes}`);
    }
    return;
  }
}
