// From a stack's id to its frames and their modules, through the tables of a store. Results are cached.

import * as L from "../../asm/layout.js";
import type { Cut, FileIdentity, ModuleInfo, RawFrame } from "../host/types.js";
import { cutOf } from "./cut.js";
import type { StoreImage } from "./image.js";

export class StoreFrames {
  readonly #tables: StoreImage;
  readonly #modules = new Map<number, ModuleInfo>();
  readonly #frames = new Map<number, RawFrame>();

  /** @param tables the image whose tables are looked at */
  constructor(tables: StoreImage) {
    this.#tables = tables;
  }

  /** Must be called when the tables may have changed. */
  forget(): void {
    this.#tables.core.call.forgetBlocks();
    this.#modules.clear();
    this.#frames.clear();
  }

  /** The frames of a stack from a query's answer, innermost first. */
  frames(stackId: number): { frames: RawFrame[] } & Cut {
    const { core } = this.#tables;
    this.#tables.fetch(() => core.call.beginWalk(stackId));
    const count = this.#tables.fetch(() => core.call.walk());
    const deep = core.call.walkCut() !== 0;
    // Copied: looking a frame up may need memory, and make views old.
    const ids = core.bytes(core.constant.FRAMES, count * 4).slice();
    const frames = Array.from(new Uint32Array(ids.buffer, 0, count), (id) => this.frame(id));
    return { frames, ...cutOf(deep, frames.at(-1)?.lost === true) };
  }

  /**
   * The positions in `stackIds` of the stacks whose innermost frame is in a
   * module that `chosen` accepts; it is asked once each.
   */
  beginningIn(stackIds: Uint32Array, chosen: (module: ModuleInfo) => boolean): number[] {
    const { core } = this.#tables;
    const { FRAMES, FRAMES_MAX } = core.constant;
    const positions: number[] = [];
    // Frames in no module have module 0.
    const verdicts: (boolean | undefined)[] = [false];
    for (let first = 0; first < stackIds.length; first += FRAMES_MAX) {
      const piece = stackIds.subarray(first, first + FRAMES_MAX);
      core.bytes(FRAMES, piece.byteLength).set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
      core.call.beginInnermostModules();
      this.#tables.fetch(() => core.call.innermostModules(piece.length));
      // Copied: looking a module up may need memory, and make views old.
      const modules = new Uint32Array(core.bytes(FRAMES, piece.byteLength).slice().buffer);
      for (let i = 0; i < modules.length; i++) {
        const id = modules[i]!;
        verdicts[id] ??= chosen(this.#moduleInfo(id));
        if (verdicts[id]) positions.push(first + i);
      }
    }
    return positions;
  }

  /** A frame by its id. */
  frame(id: number): RawFrame {
    let frame = this.#frames.get(id);
    if (!frame) {
      if (id === 0) {
        frame = { id, module: null, offset: 0n, exact: true };
      } else {
        const at = this.#tables.fetch(() => this.#tables.core.call.frameAt(id));
        const { view } = this.#tables.core;
        const module = view.getUint32(at + L.FRAME_MODULE, true);
        const offset = view.getBigUint64(at + L.FRAME_OFFSET, true);
        const flags = view.getUint32(at + L.FRAME_FLAGS, true);
        const [exact, lost] = [(flags & L.FRAME_FLAG_EXACT) !== 0, (flags & L.FRAME_FLAG_LOST) !== 0];
        frame = { id, module: module === 0 ? null : this.#moduleInfo(module), offset, exact, lost };
      }
      this.#frames.set(id, frame);
    }
    return frame;
  }

  /** Every file that was ever mapped into the process, including unloaded ones. */
  modules(): ModuleInfo[] {
    const count = this.#tables.count(L.KIND_MODULES);
    return Array.from({ length: Math.max(0, count - 1) }, (_, i) => this.#moduleInfo(i + 1));
  }

  #moduleInfo(id: number): ModuleInfo {
    let module = this.#modules.get(id);
    if (!module) {
      const at = this.#tables.fetch(() => this.#tables.core.call.moduleAt(id));
      const { view } = this.#tables.core;
      const u32 = (field: number) => view.getUint32(at + field, true);
      const u64 = (field: number) => view.getBigUint64(at + field, true);
      const path = [u32(L.MODULE_PATH_OFFSET), u32(L.MODULE_PATH_LENGTH)] as const;
      const buildId = [u32(L.MODULE_BUILD_ID_OFFSET), u32(L.MODULE_BUILD_ID_LENGTH)] as const;
      const flags = u32(L.MODULE_FLAGS);
      const numbers = {
        bias: u64(L.MODULE_BIAS),
        start: u64(L.MODULE_START),
        end: u64(L.MODULE_END),
        loaded: u64(L.MODULE_LOADED),
        unloaded: u64(L.MODULE_UNLOADED),
        executable: (flags & L.MODULE_FLAG_EXECUTABLE) !== 0,
        vdso: (flags & L.MODULE_FLAG_VDSO) !== 0,
      };
      const file = (flags & L.MODULE_FLAG_FILE) === 0 ? null : this.#file(buildId, numbers.loaded);
      const text = new TextDecoder().decode(this.#string(path));
      module = { id, path: text, buildId: this.#string(buildId), file, ...numbers };
      this.#modules.set(id, module);
    }
    return module;
  }

  /** What follows a build id. */
  #file([offset, length]: readonly [number, number], loaded: bigint): FileIdentity {
    const bytes = this.#string([offset, length + L.FILE_BYTES]);
    const view = new DataView(bytes.buffer, bytes.byteOffset + length);
    const u64 = (field: number) => view.getBigUint64(field, true);
    return {
      inode: u64(L.FILE_INODE),
      bytes: u64(L.FILE_SIZE),
      written: u64(L.FILE_TIME),
      seen: this.#tables.u64(L.HEADER_START_WALL) + loaded,
      layout: u64(L.FILE_LAYOUT),
    };
  }

  #string([offset, length]: readonly [number, number]): Uint8Array {
    const at = this.#tables.fetch(() => this.#tables.core.call.stringAt(offset, length));
    return this.#tables.core.bytes(at, length).slice();
  }
}
