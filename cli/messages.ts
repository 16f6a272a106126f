// Messages to the person at the terminal: one line each, on standard error, "memview: …".
//
// This is consola's core with our own reporter. The default reporter reads environment variables, which a Deno without
// --allow-env refuses, and may draw boxes where one line is promised.

import { type ConsolaInstance, createConsola } from "consola/core";
import { printable } from "../runtime/host/printable.js";
import { tell } from "./output.js";

/** A logger whose lines begin with the program's name. Warnings and information look alike: only the words differ. */
export function messages(program: string): ConsolaInstance {
  return createConsola({
    throttle: 0,
    reporters: [
      {
        log({ args }) {
          const text = args
            .map(String)
            .join(" ")
            .replace(/\s*\n\s*/g, " ");
          tell(`${program}: ${printable(text)}\n`);
        },
      },
    ],
  });
}
