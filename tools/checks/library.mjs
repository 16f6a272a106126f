// What the library exports and needs.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

// Not musl's "libc.so": that name would end every program of glibc that one of musl starts (tools/drop-needed.mjs).
const C_LIBRARY = /^(?:libc|libpthread|libdl|ld-linux[\w-]*)\.so\.\d+$/;
const NEWEST_GLIBC = [2, 17];

/** What the dynamic loader would see of an ELF file with 64-bit little-endian records. */
function dynamicPart(path) {
  const elf = readFileSync(path);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return null;
  const u64 = (offset) => Number(elf.readBigUInt64LE(offset));
  const sections = Array.from({ length: elf.readUInt16LE(60) }, (_, i) => {
    const header = u64(40) + i * elf.readUInt16LE(58);
    return {
      type: elf.readUInt32LE(header + 4),
      offset: u64(header + 24),
      size: u64(header + 32),
      link: elf.readUInt32LE(header + 40),
      info: elf.readUInt32LE(header + 44),
    };
  });
  const string = (table, offset) => {
    const start = sections[table].offset + offset;
    return elf.toString("latin1", start, elf.indexOf(0, start));
  };
  const exported = [];
  const needed = [];
  const versions = [];
  for (const { type, offset, size, link, info } of sections) {
    if (type === 11) {
      for (let at = offset; at < offset + size; at += 24) {
        const binding = elf[at + 4] >> 4;
        if (elf.readUInt16LE(at + 6) !== 0 && (binding === 1 || binding === 2))
          exported.push(string(link, elf.readUInt32LE(at)));
      }
    } else if (type === 6) {
      for (let at = offset; at < offset + size && u64(at) !== 0; at += 16) {
        if (u64(at) === 1) needed.push(string(link, u64(at + 8)));
      }
    } else if (type === 0x6ffffffe) {
      let library = offset;
      for (let i = 0; i < info; i++) {
        let version = library + elf.readUInt32LE(library + 8);
        for (let k = elf.readUInt16LE(library + 2); k > 0; k--) {
          versions.push(string(link, elf.readUInt32LE(version + 8)));
          version += elf.readUInt32LE(version + 12);
        }
        library += elf.readUInt32LE(library + 12);
      }
    }
  }
  return { exported, needed, versions };
}

/** @returns {Violation[]} */
export function checkLibrary(root) {
  const found = [];
  const map = "build/libmemhook.map";
  if (!existsSync(join(root, map)))
    return [{ file: map, line: 1, what: "is missing: it lists what the library exports" }];
  const script = withoutComments(read(root, map));
  const listed = [...(/global:([\s\S]*?)local:/.exec(script)?.[1] ?? "").matchAll(/([\w*]+)\s*;/g)].map(
    (match) => match[1],
  );
  const lineOfName = (name) => lineOf(script, Math.max(0, script.search(new RegExp(`\\b${name}\\s*;`))));
  for (const name of listed.filter((listedName) => listedName.includes("*"))) {
    found.push({ file: map, line: 1, what: `exports a pattern, ${name}, instead of names` });
  }

  const folder = join(root, "build/lib");
  const libraries = existsSync(folder) ? readdirSync(folder).map((name) => `build/lib/${name}/libmemhook.so`) : [];
  // Not those of other targets that were built from other sources: only ./build.sh targets brings them up to date.
  const changed = Math.max(
    ...files(root, "preload")
      .filter((path) => !path.endsWith(".md"))
      .map((path) => statSync(join(root, path)).mtimeMs),
  );
  const built = libraries.filter(
    (path) => existsSync(join(root, path)) && statSync(join(root, path)).mtimeMs >= changed,
  );
  if (built.length === 0) found.push({ file: "build/lib", line: 1, what: "holds no libmemhook.so: build first" });
  for (const file of built) {
    const complain = (what) => found.push({ file, line: 1, what });
    const dynamic = dynamicPart(join(root, file));
    if (!dynamic) {
      complain("is no 64-bit little-endian ELF file");
      continue;
    }
    const exported = new Set(dynamic.exported);
    for (const name of exported) {
      if (/^_*(?:Unwind_|unw_|U_)/.test(name)) complain(`exports ${name} of the unwinder inside it`);
      else if (!listed.includes(name)) complain(`exports ${name}, which ${map} does not list`);
    }
    for (const name of listed) {
      if (!exported.has(name))
        found.push({ file: map, line: lineOfName(name), what: `${name} is not exported by ${file}` });
    }
    for (const name of dynamic.needed.filter((library) => !C_LIBRARY.test(library))) complain(`needs ${name}`);
    for (const name of new Set(dynamic.versions)) {
      const [major, minor] = (/^GLIBC_(\d+)\.(\d+)/.exec(name) ?? []).slice(1).map(Number);
      if (major > NEWEST_GLIBC[0] || (major === NEWEST_GLIBC[0] && minor > NEWEST_GLIBC[1])) {
        complain(`needs ${name}, newer than GLIBC_${NEWEST_GLIBC.join(".")}`);
      }
    }
  }
  return found;
}
