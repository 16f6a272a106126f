// C++ for the symbolizer: templates, lambdas, virtual calls, exceptions, the standard library inlined everywhere.
#include <cstdio>
#include <functional>
#include <unordered_map>

#include "shapes.h"

using namespace shapes;

template <int Depth>
struct Tower {
  static inline long climb(long x) { return Tower<Depth - 1>::climb(x * 3 + Depth) ^ x; }
};
template <>
struct Tower<0> {
  static inline long climb(long x) {
    if (x == 77) std::puts("77");
    return x;
  }
};

template <class Function>
static long sum_over(const std::vector<long> &values, Function function) {
  long sum = 0;
  for (long value : values) sum += function(value);
  return sum;
}

static Shapes make(int count) {
  Shapes shapes;
  for (int i = 0; i < count; i++) {
    std::string name = "shape" + std::to_string(i);
    if (i % 3 == 0) shapes.emplace(name, std::make_unique<Polygon<int, 3>>(name, i));
    else if (i % 3 == 1) shapes.emplace(name, std::make_unique<Polygon<double, 4>>(name, i / 2.0));
    else shapes.emplace(name, std::make_unique<Polygon<long, 5>>(name, i));
  }
  return shapes;
}

int main(int argc, char **argv) {
  Shapes shapes = make(argc * 40);
  std::unordered_map<std::string, std::vector<long>> groups;
  for (auto &name : names(shapes, argc > 1 ? argv[1] : "shape1")) {
    groups[name.substr(0, 6)].push_back(static_cast<long>(name.size()));
  }
  std::function<long(long)> square = [&](long x) { return x * x + static_cast<long>(groups.size()); };
  long sum = 0;
  for (auto &[name, values] : groups) {
    sum += sum_over(values, [](long x) { return Tower<6>::climb(x); });
    sum += sum_over(values, square);
  }
  try {
    sum += static_cast<long>(total(shapes) + largest(shapes));
  } catch (const std::exception &error) {
    std::puts(error.what());
  }
  std::printf("%ld\n", sum);
  return 0;
}
