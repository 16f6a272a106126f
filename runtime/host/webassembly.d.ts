// The part of the global WebAssembly object that runtime/ uses. Only TypeScript's DOM library declares it, and code
// that runs in no browser should not see `document`.

declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports?: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  class Memory {
    constructor(limits: { initial: number; maximum?: number });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Table {
    grow(entries: number): number;
    set(index: number, value: unknown): void;
  }
  class RuntimeError extends Error {}
}
