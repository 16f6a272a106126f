// The project that is built, edited and checked: sources of C, C++ and Rust whose every leak is known.
//
//   places ──▶ units ──▶ Project ──▶ an edit (edits.ts) or a leak more (plants.ts) ──▶ another Project
//
// A place is a piece of source with one leak of its kind. Sources have marks where others may add something, comments
// of a line of their own, which stay where they are:
//
//   //@top c1          first in a unit's own part        //@before plain_c1     before the statement that leaks
//   //@end c1          last in it                        //@after plain_c1      behind it
//   //@calls c1        last in the function that calls its places

export interface Project {
  /** The folder that it lies in, below the one for everything. */
  folder: string;
  /** Of its library, and of its crates. */
  version: string;
  /** Sources by their paths in that folder. */
  files: ReadonlyMap<string, string>;
  /** What is compiled on its own, in the order in which it is linked. */
  units: readonly string[];
  /** Flags for every unit and for the linker, besides the toolchain's own. */
  flags: readonly string[];
  /** Flags for the linker alone. */
  linking: readonly string[];
}

/**
 * One leak, or one more of a kind. `text` gets its marks by its name; "NAME"
 * stands for the name that it gets in its unit.
 */
export interface Place {
  name: string;
  text: string;
  /** How the unit calls it; without it the place runs by itself, as a global's initializer does. */
  call?: string;
}

const MARK = /^[ \t]*\/\/@(\w+) (\w+)$/;

/** The source of a unit: its places, and a function that calls them. */
export function unitText(
  unit: string,
  head: string,
  places: readonly Place[],
  caller: (calls: string) => string,
): string {
  const named = places.map(({ text, call, name }) => {
    const own = `${name}_${unit}`;
    const put = (piece: string) => piece.replaceAll("NAME", own).replaceAll("UNIT", unit);
    return { text: put(text), call: call === undefined ? "" : `  ${put(call)}\n` };
  });
  const texts = named.map(({ text }) => text.trim()).join("\n\n");
  const calls = named.map(({ call }) => call).join("");
  return (
    `${head.trim()}\n//@top ${unit}\n\n${texts}\n\n//@end ` +
    `${unit}\n\n${caller(`${calls}//@calls ${unit}\n`).trim()}\n`
  );
}

/** The project with a text before every mark of that kind, or only before that of that name. */
export function atMarks(
  project: Project,
  path: RegExp,
  kind: string,
  text: (name: string, file: string) => string,
  only?: string,
): Project {
  const files = new Map(project.files);
  for (const [file, source] of files) {
    if (!path.test(file)) continue;
    const lines = source.split("\n").flatMap((line) => {
      const [, of, name] = MARK.exec(line) ?? [];
      return of === kind && (only === undefined || name === only) ? [text(name!, file), line] : [line];
    });
    files.set(file, lines.join("\n"));
  }
  return { ...project, files };
}

/** The project with the texts of some files changed. */
export function inFiles(project: Project, path: RegExp, change: (source: string, file: string) => string): Project {
  const files = new Map(
    [...project.files].map(([file, source]) => [file, path.test(file) ? change(source, file) : source]),
  );
  return { ...project, files };
}

/** The project with its files at other paths. */
export function renamed(project: Project, path: (file: string) => string): Project {
  return {
    ...project,
    files: new Map([...project.files].map(([file, source]) => [path(file), source])),
    units: project.units.map(path),
  };
}

/** Whether an edit has changed nothing. */
export function sameProject(a: Project, b: Project): boolean {
  return JSON.stringify({ ...a, files: [...a.files] }) === JSON.stringify({ ...b, files: [...b.files] });
}
