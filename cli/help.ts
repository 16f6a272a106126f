// What --help prints, from the definitions that parse. Not citty's own rendering, which knows no values
// that may be left out, no sections and no examples, and colours also what goes into a file.

import type { Command, Option } from "./arguments.js";

const WIDTH = 80;
const INDENT = 6;

/** The help of a command. `path` is how it is called: "memview info". */
export async function help(command: Command, path: string): Promise<string> {
  const lines = [`${path}: ${command.meta.description}`, ""];
  const forms = command.usage.map((form) => ({ form, purpose: "" }));
  for (const [name, load] of Object.entries(command.subCommands ?? {})) {
    const { meta } = await load();
    forms.push({ form: `${name} …`, purpose: `${meta.description}: ${path} ${name} --help` });
  }
  forms.forEach(({ form, purpose }, i) => {
    lines.push(`${i === 0 ? "usage:" : "      "} ${path} ${form}`.trimEnd());
    if (purpose !== "") lines.push(...wrap(purpose, 11));
  });
  let section = "";
  for (const [name, option] of Object.entries(command.args)) {
    if (option.type === "positional") continue;
    if (option.section && option.section !== section) {
      section = option.section;
      lines.push("", `${section}:`);
    }
    lines.push(`  ${spelling(name, option)}`, ...wrap(option.description ?? "", INDENT));
  }
  return `${lines.join("\n")}\n\n${command.closing.trim()}\n`;
}

/** "-m, --shared-memory [NAME]": brackets where the value may be left out, "=" where it cannot be the next word. */
function spelling(name: string, option: Option): string {
  const short = "alias" in option && option.alias ? `-${option.alias}, ` : "    ";
  if (option.type === "boolean") return `${short}--${name}${option.bare === undefined ? "" : "[=0|1]"}`;
  const value = option.valueHint ?? name.toUpperCase();
  return `${short}--${name} ${option.bare === undefined ? value : `[${value}]`}`;
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => " ".repeat(indent) + each);
}
