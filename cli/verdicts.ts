// The verdict on one store, for the commands that print it: memview verdict, and memview growth of one store; and in a
// few lines for those that open or close with it.

import type { Moment } from "../runtime/host/types.js";
import { type VerdictOptions, verdictOn } from "../runtime/reports/verdict.js";
import { openStore, type Store } from "../runtime/stores/store.js";
import { symbolizerOf } from "../runtime/symbols/names.js";
import type { Names } from "../runtime/symbols/symbolize.js";
import { messages } from "./messages.js";
import { print } from "./output.js";
import { tellRelatives } from "./relatives.js";
import type { Style } from "./reports/style.js";
import { shownFindings, verdictBrief, verdictText } from "./reports/verdict.js";
import { verdictJson } from "./reports/verdict-json.js";

export interface VerdictPrint extends VerdictOptions {
  format: "text" | "json";
  style: Style;
  at: Moment;
  /** The most places. */
  top: number;
  /** With call stacks. */
  stacks: boolean;
}

/** @throws StoreError when the store cannot be read. */
export async function printVerdict(
  path: string,
  { format, style, at, top, stacks, ...options }: VerdictPrint,
): Promise<void> {
  const store = await openStore(path, at);
  try {
    const symbolizer = symbolizerOf(store);
    const judged = await verdictOn(store, symbolizer, options);
    const shown = shownFindings(judged.verdict, top);
    await judged.detail(shown);
    print(format === "json" ? verdictJson(judged, shown) : verdictText(judged, { style, top, stacks }));
    for (const note of symbolizer.notes) messages("memview").warn(note);
    await tellRelatives(store);
  } finally {
    store.close();
  }
}

/** Lines of a verdict that opens or closes another report. */
const BRIEF = 6;

/**
 * What is live in a store, and where in the user's own code, in a few lines.
 * @throws StoreError when the store cannot be read.
 */
export async function briefVerdict(
  store: Store,
  symbolizer: Names,
  style: Style,
  options: VerdictOptions,
): Promise<string[]> {
  const judged = await verdictOn(store, symbolizer, options);
  await judged.detail(shownFindings(judged.verdict, BRIEF));
  return verdictBrief(judged, style, BRIEF);
}
