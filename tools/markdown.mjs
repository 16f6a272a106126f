// README's tables and docs/options.md, from the programs' definitions.

import { CHECKING, SETTINGS, VIEWING } from "../dist/cli/environment.js";
import { sections, spelling } from "../dist/cli/help.js";
import { EXIT_CODES } from "../dist/cli/shared-options.js";

const code = (words) => `\`${words}\``;
const cell = (words) => words.replaceAll("|", "\\|");
/** Text outside of code: what Markdown would take for its own is none. */
const plain = (words) => words.replace(/[\\*_<>[\]]/g, "\\$&");

const table = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.map(cell).join(" | ")} |`).join("\n");

const callOf = ({ path, command }) => code(`${path} ${command.usage[0] ?? "COMMAND"}`.trim());

const variables = (list) =>
  table(
    ["variable", "meaning", "default"],
    list.map(({ names, value, meaning, fallback }) => [
      `${names.map(code).join(", ")} = ${code(value)}`,
      plain(meaning),
      plain(fallback),
    ]),
  );

/** A command without a job of its own: its subcommands say it all. */
const isFolder = ({ command }) => command.usage.length === 0;

/** What stands behind `<!-- made: NAME ARGUMENT -->` in README. */
export const tables = (commands) => ({
  programs: () =>
    table(
      ["program", "what it does"],
      commands.filter((each) => !isFolder(each)).map((each) => [callOf(each), plain(each.command.meta.description)]),
    ),
  options: (paths) =>
    table(
      ["command", "", "options"],
      paths.split(", ").flatMap((path) => {
        const found = commands.find((each) => each.path === path);
        if (!found) throw new Error(`there is no command '${path}'`);
        return sections(found.command.args).map(({ heading, options }, i) => [
          i === 0 ? code(path) : "",
          plain(heading),
          options.map(([name, option]) => code(spelling(name, option))).join(" · "),
        ]);
      }),
    ),
  exits: () =>
    table(
      ["exit code", "meaning"],
      EXIT_CODES.map(([term, meaning]) => [term, plain(meaning)]),
    ),
  settings: () => variables(SETTINGS),
});

const entries = (list) =>
  list.map(([term, meaning]) => `- ${code(term)}${meaning === "" ? "" : `: ${plain(meaning)}`}`);

const COLUMNS = 120;

/** A paragraph in lines. */
function wrapped(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== "" && last.length + 1 + word.length > COLUMNS) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.join("\n");
}

const prose = (parts) =>
  parts.flatMap((part) => [typeof part === "string" ? wrapped(plain(part)) : entries(part).join("\n"), ""]);

/** A command to type, what it does behind it, or above it where that is too long. */
function example([typed, meaning]) {
  const line = meaning === "" ? typed : `${typed}    # ${meaning}`;
  return line.length > COLUMNS ? [`# ${meaning}`, typed] : [line];
}

function commandPart({ path, command }) {
  return [
    `## ${path}`,
    "",
    `${plain(command.meta.description[0].toUpperCase() + command.meta.description.slice(1))}.`,
    "",
    ...(command.usage.length > 0
      ? ["```text", ...command.usage.map((form) => `${path} ${form}`.trimEnd()), "```", ""]
      : []),
    ...prose(command.about ?? []),
    "```sh",
    ...command.examples.flatMap(example),
    "```",
    "",
    ...sections(command.args).flatMap(({ heading, options }) => [
      table(
        [plain(heading), ""],
        options.map(([name, option]) => [code(spelling(name, option)), plain(option.description)]),
      ),
      "",
    ]),
    ...Object.entries(command.notes ?? {})
      .filter(([heading]) => !/environment/i.test(heading))
      .flatMap(([heading, parts]) => [`**${heading}**`, "", ...prose(parts)]),
    table(
      ["exit code", ""],
      command.exits.map(([term, meaning]) => [term, plain(meaning)]),
    ),
    "",
  ];
}

export function optionsPage(commands) {
  return [
    "<!-- Made from cli/ by tools/docs.mjs. Do not edit. -->",
    "",
    "# Programs, options, variables",
    "",
    "The same as `--help` and the manual pages in [man/](man).",
    "",
    ...commands.flatMap(commandPart),
    "## The library's settings",
    "",
    wrapped(
      "Environment variables of the program that is watched, read once, at its start. A value that cannot be read " +
        "costs one line on standard error; the default is used and the program runs on.",
    ),
    "",
    variables(SETTINGS),
    "",
    "## Environment of memhook, memview and memdb",
    "",
    variables([...CHECKING, ...VIEWING]),
    "",
  ].join("\n");
}
