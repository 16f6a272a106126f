// The workflow for GitHub Actions, which does not run here: it is one by the
// schema, and it is for the versions of Node that the package's test runs.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { parse } from "yaml";
import { VERSIONS } from "../support/nodes.js";
import { root } from "../support/run.js";

const workflow = parse(readFileSync(join(root, ".github/workflows/ci.yml"), "utf8"));
const path = createRequire(import.meta.url).resolve("schemastore/schemas/json/github-workflow.json");

test("ci.yml is a workflow of GitHub Actions", () => {
  const wrong = structuredClone(workflow);
  wrong.jobs.test.steps[0].run = "and uses at once";
  wrong.jobs.release["run-on"] = "nothing";
  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(path, "utf8")));
  assert.ok(validate(workflow), JSON.stringify(validate.errors));
  // The schema does say no.
  assert.equal(validate(wrong), false);
});

test("ci.yml tests every Node that memhook is for, with what .ci/run does, and releases what was tested", () => {
  const { test: tests, release } = workflow.jobs;
  const versions = tests.strategy.matrix.include.map(({ node }: { node: number }) => String(node));
  assert.deepEqual(
    [...new Set(versions)],
    VERSIONS.map((version) => version.split(".")[0]),
  );
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(engines.node, `>=${versions[0]}`);
  assert.equal(tests.steps.at(-1).run, ".ci/run");
  assert.equal(release.needs, "test");
  for (const { run = "" } of [...tests.steps, ...release.steps]) {
    for (const [script] of run.matchAll(/(?<=^|&& )(\.\/build\.sh|\.ci\/run)/g))
      assert.ok(existsSync(join(root, script)));
  }
});
