// What memview diff prints, in each of its formats. Each format has a file; this file chooses.

import { appendFileSync } from "node:fs";
import { whyNotWritten } from "../../runtime/host/errors.js";
import { printable } from "../../runtime/host/printable.js";
import { githubAnnotations } from "./diff-github.js";
import { diffJson } from "./diff-json.js";
import { diffJunit } from "./diff-junit.js";
import { diffMarkdown } from "./diff-markdown.js";
import { diffSarif } from "./diff-sarif.js";
import { diffText } from "./diff-text.js";
import type { DiffAnswer } from "./diff-words.js";
import { PLAIN, type Style } from "./style.js";

export const DIFF_FORMATS = ["text", "json", "markdown", "github", "sarif", "junit"] as const;
export type DiffFormat = (typeof DIFF_FORMATS)[number];

/** The report in pieces. `top`: regressions with their frames, where the format is for people. */
export function* diffReport(
  format: DiffFormat,
  answer: DiffAnswer,
  { top, style = PLAIN }: { top: number; style?: Style },
): Generator<string> {
  switch (format) {
    case "text":
      yield* diffText(answer, top, style);
      break;
    case "json":
      yield* diffJson(answer);
      break;
    case "markdown":
      yield* diffMarkdown(answer, top);
      break;
    case "github":
      yield* githubAnnotations(answer);
      yield* diffText(answer, top, PLAIN);
      break;
    case "sarif":
      yield* diffSarif(answer);
      break;
    case "junit":
      yield* diffJunit(answer);
      break;
  }
}

/**
 * Appends the summary to the file that GitHub Actions named, and gives the annotations that are not printed anyway; the
 * runner looks for them in all output.
 */
export function* inGitHub(answer: DiffAnswer, format: DiffFormat, summary: string): Generator<string> {
  try {
    appendFileSync(summary, [...diffMarkdown(answer, SUMMARY_STACKS)].join(""));
  } catch (error) {
    yield `${printable(`memview: the summary cannot be written to ${summary} (${whyNotWritten(error)})`)}\n`;
  }
  if (format !== "github") yield* githubAnnotations(answer);
}

const SUMMARY_STACKS = 10;
