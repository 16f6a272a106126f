// A manual page in roff, man(7), from the definitions of a program and its subcommands.
//
//   .SH for the program's own sections, then one for each subcommand with .SS inside; every option is a .TP

import { sections, spelling } from "../dist/cli/help.js";

const WIDTH = 78;

/** Text as roff prints it: nothing in it is a request, an escape, or a typographic quote or dash. */
function text(words) {
  const plain = words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll('"', "\\(dq")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll("…", "...");
  const strange = /[^\x20-\x7e]/.exec(plain);
  if (strange) throw new Error(`a manual page cannot hold '${strange[0]}': ${words}`);
  return plain;
}

/** Sentences begin on lines of their own, as roff wants its source, and no line is long. */
function paragraph(words) {
  const lines = [];
  for (const sentence of words.split(/(?<=\.) (?=[A-Z])/)) {
    lines.push("");
    for (const word of text(sentence).split(" ")) {
      const line = lines.at(-1);
      if (line !== "" && line.length + 1 + word.length > WIDTH) lines.push(word);
      else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    }
  }
  return lines.map((line) => line.replace(/^\./, "\\&."));
}

const entries = (list) =>
  list.flatMap(([term, meaning]) =>
    meaning === "" ? [".PP", `.B ${text(term)}`] : [".TP", `.B ${text(term)}`, ...paragraph(meaning)],
  );

const prose = (parts) =>
  parts.flatMap((part) => (typeof part === "string" ? [".PP", ...paragraph(part)] : entries(part)));

const forms = ({ path, command }) =>
  command.usage.flatMap((form) => [".PP", `.B ${text(path)}`, ...(form === "" ? [] : [text(form)])]);

function options(command) {
  return sections(command.args).flatMap(({ heading, options: list }) => [
    partHead(heading),
    ...entries(list.map(([name, option]) => [spelling(name, option), option.description])),
  ]);
}

const notes = (command, head) =>
  Object.entries(command.notes ?? {}).flatMap(([heading, parts]) => [head(heading), ...prose(parts)]);

const sectionHead = (heading) => `.SH ${text(heading.toUpperCase())}`;
const partHead = (heading) => `.SS ${text(heading)}`;

function subcommand({ path, command }) {
  return [
    sectionHead(path),
    ...paragraph(`${command.meta.description[0].toUpperCase()}${command.meta.description.slice(1)}.`),
    ...forms({ path, command }),
    ...prose(command.about ?? []),
    ...options(command),
    ...notes(command, partHead),
    ".SS Examples",
    ...entries(command.examples),
    ".SS Exit status",
    ...entries(command.exits),
  ];
}

/** @param commands the program and its subcommands. */
export function manualPage(commands, { version, released, others }) {
  const [{ path, command }, ...subcommands] = commands;
  const described = subcommands.map((each) => [each.path.slice(path.length + 1), each.command.meta.description]);
  return `${[
    `.\\" Made from cli/ by tools/docs.mjs. Do not edit.`,
    `.TH ${path.toUpperCase()} 1 "${released}" "memhook ${version}" "memhook"`,
    ".SH NAME",
    ...paragraph(`${path} - ${command.meta.description}`),
    ".SH SYNOPSIS",
    ...commands.flatMap(forms).slice(1),
    ".SH DESCRIPTION",
    ...prose(command.about ?? [`${path} has these commands:`]).slice(1),
    ...(command.about ? [".PP", "Its commands, each with a section of its own below:"] : []),
    ...entries(described),
    ".SH OPTIONS",
    ...options(command),
    ...notes(command, sectionHead),
    ".SH EXAMPLES",
    ...entries(command.examples),
    ".SH EXIT STATUS",
    ...entries(command.exits),
    ...subcommands.flatMap(subcommand),
    ".SH SEE ALSO",
    others.map((name) => `.BR ${name} (1)`).join(" ,\n"),
  ]
    // A paragraph right behind a heading is one already.
    .filter((line, i, all) => !(line === ".PP" && /^\.(SH|SS)/.test(all[i - 1])))
    .join("\n")}\n`;
}
