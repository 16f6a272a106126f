// Points in time as text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isoTime } from "../../../runtime/host/time.js";

test("times have nine digits behind the second, in UTC", () => {
  assert.equal(isoTime(0n), "1970-01-01T00:00:00.000000000Z");
  assert.equal(isoTime(1n), "1970-01-01T00:00:00.000000001Z");
  assert.equal(isoTime(1_772_366_400_123_456_789n), "2026-03-01T12:00:00.123456789Z");
  assert.equal(isoTime(1_772_366_400_999_999_999n), "2026-03-01T12:00:00.999999999Z");
});

test("the largest anchor and the largest relative time make a time", () => {
  assert.equal(isoTime(2n * 0xffff_ffff_ffff_ffffn), "3139-02-09T23:09:07.419103230Z");
});
