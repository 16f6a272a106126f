// Which source files belong to the system or the compiler, where nobody looks for a leak first.

/**
 * Headers, libraries, debug sources of packages, and the C++ runtimes of gcc
 * and LLVM where a program has them in itself.
 */
const SYSTEM_FOLDERS = [
  /^\/usr\/(local\/)?(include|lib\w*|src\/debug)\//,
  /^\/(lib\w*|rustc)\//,
  /\/(include\/c\+\+|rustlib|libcxx|libcxxabi|libstdc\+\+-v3)\//,
];

export function isSystemFile(path: string): boolean {
  return SYSTEM_FOLDERS.some((folder) => folder.test(path));
}
