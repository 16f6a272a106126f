// The second translation unit of the C++ program: functions inlined across files, and the same templates again.
#include "shapes.h"

namespace shapes {
namespace {

struct Larger {
  bool operator()(const Shapes::value_type &a, const Shapes::value_type &b) const {
    return a.second->area() < b.second->area();
  }
};

}  // namespace

double largest(const Shapes &shapes) {
  auto found = std::max_element(shapes.begin(), shapes.end(), Larger());
  return found == shapes.end() ? 0 : found->second->area();
}

std::vector<std::string> names(const Shapes &shapes, const std::string &prefix) {
  std::vector<std::string> found;
  auto wanted = [&](const std::string &name) { return name.compare(0, prefix.size(), prefix) == 0; };
  for (const auto &[name, shape] : shapes) {
    if (wanted(name)) found.push_back(name + "/" + shape->name());
  }
  std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  Polygon<long, 7> copy("seven", static_cast<long>(found.size()));
  if (copy.as<float>().area() < 0) found.clear();
  return found;
}

}  // namespace shapes
