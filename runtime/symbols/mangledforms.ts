// Rewrites forms of mangled C++ names that the demangler does not know into forms that it knows. This is tried only for
// a name that was refused, and used only if the rewritten name is accepted.
//
//   XntsrSt8is_arrayIT_E5valueE    !std::is_array<T>::value as an argument     St8is_arrayIT_E, whose member it is
//   3fooMUlvE_                     a lambda that initializes a member          3fooUlvE_
//
// The first form is gcc's, for std::enable_if in result types, which are not shown. The types in it stay, because later
// parts of the name count them.

/** The name in other words; null if there are none. */
export function otherForm(name: string): string | null {
  let text = name.replace(/(?<=\w)MU(?=[lt])/g, "U");
  for (let at = text.length; ; ) {
    // From the last to the first: inner ones before outer ones.
    at = text.lastIndexOf("sr", at - 1);
    if (at < 0) break;
    const start = /X(?:nt)*$/.exec(text.slice(0, at))?.index;
    const end = start === undefined ? null : typeEnd(text, at + 2);
    const member = end === null ? null : /^(\d+)/.exec(text.slice(end, end + 4))?.[1];
    if (start === undefined || end === null || !member) continue;
    const after = end + member.length + Number(member);
    if (text[after] === "E") text = text.slice(0, start) + text.slice(at + 2, end) + text.slice(after + 1);
  }
  return text === name ? null : text;
}

/** Where a type of the form St4nameI…E ends; null if it has another form. */
function typeEnd(text: string, start: number): number | null {
  const begin = /^St(\d+)/.exec(text.slice(start, start + 8));
  if (begin === null) return null;
  let at = start + begin[0].length + Number(begin[1]);
  if (text[at] !== "I") return null;
  let depth = 0;
  do {
    const length = /^\d+/.exec(text.slice(at, at + 5))?.[0];
    const before = text[at - 1];
    if (length !== undefined && before !== "T" && before !== "S") {
      at += length.length + Number(length);
      continue;
    }
    if ("INXLFJ".includes(text[at]!)) depth++;
    else if (text[at] === "E") depth--;
    at++;
  } while (depth > 0 && at < text.length);
  return depth === 0 ? at : null;
}
