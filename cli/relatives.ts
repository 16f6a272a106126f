// One line about the other processes of a run, where they hold more than the one that was asked about.

import { relativesOf } from "../runtime/stores/relatives.js";
import type { Store } from "../runtime/stores/store.js";
import { messages } from "./messages.js";
import { quoted } from "./quoted.js";

/** Says on standard error that others of the run hold more, as where a shell or `timeout` started the program. */
export async function tellRelatives(store: Store): Promise<void> {
  const { first, more } = await relativesOf(store);
  if (more === 0) return;
  const processes = more === 1 ? "1 more process of this run holds" : `${more} more processes of this run hold`;
  messages("memview").info(`${processes} more: memview list ${quoted(first)}`);
}
