// A program and, with -DLIBRARY, a library: what linkers and tools make of them is looked at. Leaks through a template,
// a function that is inlined and one that is not, in each.
#include <cstdlib>
#include <vector>

void *volatile sink;

namespace {
inline __attribute__((always_inline)) void *inner(std::size_t size) { return sink = malloc(size); }
template <class T> __attribute__((noinline)) void hold(std::size_t count) {
  sink = inner(count * sizeof(T));
  sink = new std::vector<T>(count);
}
} // namespace

#ifdef LIBRARY
extern "C" void library_leak() {
  hold<long>(99);
  sink = nullptr;
}
#else
extern "C" void library_leak();
int main() {
  hold<short>(33);
  library_leak();
  sink = nullptr;
  return 0;
}
#endif
