# gcc and make -j2: compiles this library itself, and a C++ file, with link-time
# optimization too. The objects must be the same.
needs gcc make ar sha256sum
mkdir include
cp -r "$SOAK_ROOT/preload" .
cp "$SOAK_ROOT/build/layout.h" include/
# Some files need libunwind, or clang.
for source in preload/*/*.c; do gcc -std=gnu11 -Iinclude -fsyntax-only -w "$source" 2>/dev/null || rm "$source"; done
cat >Makefile <<'CODE'
objects := $(patsubst %.c,%.o,$(wildcard preload/*/*.c))
library.a: $(objects)
	ar rcD $@ $(sort $(objects))
%.o: %.c
	gcc -std=gnu11 -O2 -g -fPIC -ftls-model=initial-exec -fno-builtin-malloc -w -Iinclude -c -o $@ $<
CODE
make -s -j2
sha256sum library.a preload/*/*.o
cat >words.cc <<'CODE'
#include <iostream>
#include <map>
#include <regex>
#include <string>
int main() {
  std::map<std::string, int> words;
  std::regex word("[a-z]+");
  std::string text = "the quick brown fox jumps over the lazy dog and the quick cat";
  for (std::sregex_iterator it(text.begin(), text.end(), word), end; it != end; ++it) words[it->str()]++;
  for (auto &[name, count] : words) std::cout << name << ' ' << count << '\n';
}
CODE
if command -v g++ >/dev/null; then
  g++ -O2 -flto=2 -g -std=c++17 -frandom-seed=1 -o words words.cc
  sha256sum words
  ./words
  g++ -c words.cc -o /nonexistent/words.o 2>&1 || echo "exit $?"
fi
