// What no file may contain: unfinished work, paths of one machine, addresses of registries.

import { files, read } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

// Written so that this file does not contain what it looks for.
const FORBIDDEN = [
  [/\b(?:TO[D]O|FIX[M]E|XX[X])\b/, "is unfinished"],
  [/(?<![\w.~:/-])\/(?:wor[k]|roo[t]|hom[e])\/\w/, "names a path of one machine"],
  [/\b(?:registry\.(?:npmjs|yarnpkg)|files\.pythonhosted|pypi)\.(?:org|com)\b/, "names a package registry"],
  [/https?:\/\/[^\s/$]*(?:artifactory|nexus|mirror|registry)/, "names a package registry"],
];

/** @returns {Violation[]} */
export function checkText(root) {
  const found = [];
  for (const file of files(root)) {
    const text = read(root, file);
    if (text.includes("\0")) continue;
    text.split("\n").forEach((content, index) => {
      for (const [pattern, what] of FORBIDDEN) {
        const match = pattern.exec(content);
        if (match) found.push({ file, line: index + 1, what: `${what}: ${match[0]}` });
      }
      if (file === "package-lock.json" && /^\s*"resolved":/.test(content)) {
        found.push({ file, line: index + 1, what: "says where a package was fetched from" });
      }
    });
  }
  return found;
}
