// pprof's format: a gzip-compressed protocol buffer, https://github.com/google/pprof/blob/main/proto/profile.proto
//
//   Profile ── sample ── location ── line ── function
//                           └── mapping
//
// Ids count from 1 in the order of first use. A location is a physical frame, and has a line for each call that was
// inlined there. There is no duration, because amounts are of an instant, and tools would divide them by it.

import { gzipSync } from "node:zlib";
import { Known } from "./known.js";
import type { Profile, ProfileFrame, ProfileModule, ProfileStack } from "./profile.js";
import { Message } from "./protobuf.js";

// Fields of the messages.
const PROFILE = {
  sampleType: 1,
  sample: 2,
  mapping: 3,
  location: 4,
  function: 5,
  stringTable: 6,
  timeNanos: 9,
  periodType: 11,
  period: 12,
  comment: 13,
  defaultSampleType: 14,
} as const;
const VALUE_TYPE = { type: 1, unit: 2 } as const;
const SAMPLE = { locations: 1, values: 2, label: 3 } as const;
const LABEL = { key: 1, text: 2 } as const;
const MAPPING = {
  id: 1,
  start: 2,
  limit: 3,
  file: 5,
  buildId: 6,
  hasFunctions: 7,
  hasFiles: 8,
  hasLines: 9,
  hasInlined: 10,
} as const;
const LOCATION = { id: 1, mapping: 2, address: 3, line: 4 } as const;
const LINE = { function: 1, line: 2 } as const;
const FUNCTION = { id: 1, name: 2, systemName: 3, file: 4 } as const;

type SampleType = readonly [type: string, unit: "count" | "bytes", of: (stack: ProfileStack) => number];

const LIVE_TYPES: readonly SampleType[] = [
  ["inuse_objects", "count", ({ live }) => live.count],
  ["inuse_space", "bytes", ({ live }) => live.bytes],
];
const SAMPLE_TYPES: readonly SampleType[] = [
  ["alloc_objects", "count", ({ totals }) => totals?.allocations ?? 0],
  ["alloc_space", "bytes", ({ totals }) => totals?.allocatedBytes ?? 0],
  ...LIVE_TYPES,
  ["peak_space", "bytes", ({ totals }) => totals?.peakBytes ?? 0],
  ["temporary_objects", "count", ({ totals }) => totals?.temporary ?? 0],
];

/** The profile, compressed. */
export function pprof(profile: Profile): Uint8Array {
  return gzipSync(new Writer(profile).write());
}

class Writer {
  readonly #profile: Profile;
  readonly #out = new Message();
  readonly #strings = new Known<string, number>([["", 0]]);
  readonly #mappings = new Map<ProfileModule, number>();
  readonly #functions = new Map<string, number>();
  /** By the physical frame. */
  readonly #locations = new Map<ProfileFrame, number>();

  constructor(profile: Profile) {
    this.#profile = profile;
  }

  write(): Uint8Array {
    const { stacks, modules, process, programs, dropped, sample } = this.#profile;
    const types = stacks.some(({ totals }) => totals !== null) ? SAMPLE_TYPES : LIVE_TYPES;
    for (const [type, unit] of types) this.#out.message(PROFILE.sampleType, this.#valueType(type, unit));
    for (const module of modules) this.#mapping(module);
    for (const stack of stacks) {
      const values = types.map(([, , of]) => of(stack));
      if (values.some((value) => value !== 0)) this.#sample(stack, values, programs.length > 1);
    }
    this.#out.message(PROFILE.periodType, this.#valueType("space", "bytes"));
    this.#out.number(PROFILE.period, Math.max(1, sample));
    this.#out.number(PROFILE.defaultSampleType, this.#string("inuse_space"));
    if (process !== null) this.#out.number(PROFILE.timeNanos, BigInt(process.started + process.endTime) * 1_000_000n);
    if (dropped > 0) {
      const text = `${dropped} allocations could not be recorded and are missing`;
      this.#out.numbers(PROFILE.comment, [this.#string(text)]);
    }
    for (const text of this.#strings.keys()) this.#out.text(PROFILE.stringTable, text);
    return this.#out.bytes();
  }

  #string(text: string): number {
    return this.#strings.of(text, () => this.#strings.size);
  }

  #valueType(type: string, unit: string): Message {
    const message = new Message();
    message.number(VALUE_TYPE.type, this.#string(type));
    message.number(VALUE_TYPE.unit, this.#string(unit));
    return message;
  }

  #mapping(module: ProfileModule): void {
    const id = this.#mappings.size + 1;
    this.#mappings.set(module, id);
    const message = new Message();
    message.number(MAPPING.id, id);
    message.number(MAPPING.start, module.mapped?.start ?? 0n);
    message.number(MAPPING.limit, module.mapped?.end ?? 0n);
    message.number(MAPPING.file, this.#string(module.path));
    message.number(MAPPING.buildId, this.#string(module.mapped?.buildId ?? ""));
    // Names are here already, as good as can be had: no tool is to look for its own.
    for (const has of [MAPPING.hasFunctions, MAPPING.hasFiles, MAPPING.hasLines, MAPPING.hasInlined])
      message.number(has, 1);
    this.#out.message(PROFILE.mapping, message);
  }

  #sample({ frames, program }: ProfileStack, values: readonly number[], named: boolean): void {
    const locations: number[] = [];
    for (let first = 0; first < frames.length; ) {
      let last = first;
      while (frames[last]!.inlined && last + 1 < frames.length) last++;
      locations.push(this.#location(frames, first, last));
      first = last + 1;
    }
    const message = new Message();
    message.numbers(SAMPLE.locations, locations);
    message.numbers(SAMPLE.values, values);
    if (named) {
      const label = new Message();
      label.number(LABEL.key, this.#string("program"));
      label.number(LABEL.text, this.#string(program));
      message.message(SAMPLE.label, label);
    }
    this.#out.message(PROFILE.sample, message);
  }

  /** The physical frame `last`, and the calls that were inlined there. */
  #location(frames: readonly ProfileFrame[], first: number, last: number): number {
    const frame = frames[last]!;
    const known = this.#locations.get(frame);
    if (known !== undefined) return known;
    const id = this.#locations.size + 1;
    this.#locations.set(frame, id);
    const message = new Message();
    message.number(LOCATION.id, id);
    message.number(LOCATION.mapping, frame.module === null ? 0 : this.#mappings.get(frame.module)!);
    message.number(LOCATION.address, frame.address);
    for (let i = first; i <= last; i++) {
      const line = new Message();
      line.number(LINE.function, this.#function(frames[i]!));
      line.number(LINE.line, frames[i]!.line);
      message.message(LOCATION.line, line);
    }
    this.#out.message(PROFILE.location, message);
    return id;
  }

  #function({ name, symbol, file }: ProfileFrame): number {
    const key = `${name}\0${symbol}\0${file}`;
    const known = this.#functions.get(key);
    if (known !== undefined) return known;
    const id = this.#functions.size + 1;
    this.#functions.set(key, id);
    const message = new Message();
    message.number(FUNCTION.id, id);
    message.number(FUNCTION.name, this.#string(name));
    message.number(FUNCTION.systemName, this.#string(symbol === "" ? name : symbol));
    message.number(FUNCTION.file, this.#string(file));
    this.#out.message(PROFILE.function, message);
    return id;
  }
}
