// The bare name of a function: the part that is the same in every form in which compilers write it. For an inlined
// function, the debug information may have only its own name, while the symbol table has the full one.
//
//   thread()::{lambda(int)#1}::operator()(int) const      operator()        as for  operator()
//   std::__invoke<F, int>(F&&)                            __invoke                  __invoke<F, int>
//   std::vector<int>::operator[](unsigned long)           operator[]                operator[]
//   <app::First as app::Work>::work                       work                      work
//   app::main::{closure}                                  closure                   {closure#0}

/** Sources of the standard libraries of C++ and Rust, as compilers and distributions lay them out. */
const STANDARD_FILES = [
  /(^|\/)(include\/(c\+\+|g\+\+[\w-]*)|c\+\+\/v1|libcxx(abi)?)\//,
  /(^|\/)library\/(std|core|alloc|panic_unwind)\/src\/|^\/rustc\//,
];
const STANDARD_NAME = /^<?(std|core|alloc|__gnu_cxx|__cxxabiv1)::|^__(rust|rdl|rg)_\w+$/;

/** Whether a function is the standard library's of C++ or Rust, which compilers inline and lay out as they like. */
export function isStandard(name: string | null, file: string | null): boolean {
  if (file === null) return name !== null && STANDARD_NAME.test(name);
  return STANDARD_FILES.some((files) => files.test(file));
}

/** Names of operators have signs that are brackets elsewhere; each is kept as one character beyond what names have. */
const OPERATOR = /\boperator *(\(\)|\[\]|<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>)/g;
const OPERATOR_SIGNS = ["()", "[]", "<=>", "<<=", ">>=", "<<", ">>", "<=", ">=", "->*", "->", "<", ">"];
const FIRST_SIGN = 0xe000;
const SIGN = /[\ue000-\ue00c]/;
/** Brackets in brackets are taken away from the inside; what is deeper is left alone. */
const DEEPEST = 64;

export function bareName(name: string): string {
  let left = name
    .replace(OPERATOR, (_, sign: string) => `operator${String.fromCharCode(FIRST_SIGN + OPERATOR_SIGNS.indexOf(sign))}`)
    .replace(/\(anonymous namespace\)|\{anonymous\}|<unnamed>/g, "")
    // What rustc makes around a method of a trait object.
    .replace(/(::)?\{+(vtable\.shim|shim:[^{}]*)\}+/g, "")
    // {closure#0}, {{closure}}, {lambda(int)#1}, {async_block_env#0}: kept as words.
    .replace(/\{+([a-z]\w*)[^{}<>]*\}+/g, "$1")
    .replace(/->/g, "");
  for (let i = 0, longer = ""; i < DEEPEST && longer !== left; i++) {
    longer = left;
    left = left.replace(/<[^<>()[\]]*>|\([^<>()[\]]*\)|\[[^<>()[\]]*\]/g, "");
  }
  const parts = left.replace(/(?: (?:const|volatile|noexcept|&&?))+$/, "").split("::");
  const last = (parts.findLast((part) => part.trim() !== "") ?? "").trim();
  // What comes before it is the type of the result; but "operator new" and "operator bool" are names.
  const bare = /operator\b.*$/.exec(last)?.[0] ?? last.slice(last.lastIndexOf(" ") + 1);
  return bare.replace(SIGN, (sign) => OPERATOR_SIGNS[sign.charCodeAt(0) - FIRST_SIGN]!) || name;
}
