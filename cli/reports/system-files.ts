// Which source files came with the system or the compiler: code that nobody looks for a leak in first.

/** Headers, libraries, debug sources of packages, and the C++ runtimes of gcc and LLVM where a program has them in itself. */
const SYSTEM_FILE =
  /^\/usr\/(local\/)?(include|lib\w*|src\/debug)\/|^\/(lib\w*|rustc)\/|\/include\/c\+\+\/|\/rustlib\/|\/lib(cxx|cxxabi|stdc\+\+-v3)\//;

export function isSystemFile(path: string): boolean {
  return SYSTEM_FILE.test(path);
}
