// Templates and inline functions that both translation units of the C++ program have.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace shapes {

class Shape {
 public:
  virtual ~Shape() = default;
  virtual double area() const = 0;
  const std::string &name() const { return name_; }

 protected:
  explicit Shape(std::string name) : name_(std::move(name)) {
    if (name_.empty()) throw std::invalid_argument("a shape without a name");
  }

 private:
  std::string name_;
};

template <class Number, int Corners>
class Polygon : public Shape {
 public:
  Polygon(const std::string &name, Number side) : Shape(name), side_(side) {}
  double area() const override { return scale(side_) * Corners; }

  template <class Other>
  Polygon<Other, Corners> as() const {
    return Polygon<Other, Corners>(name(), static_cast<Other>(side_));
  }

 private:
  static inline double scale(Number side) { return static_cast<double>(side) * static_cast<double>(side) / 2; }
  Number side_;
};

template <class Map>
double total(const Map &shapes) {
  double sum = 0;
  for (const auto &[name, shape] : shapes) {
    sum += shape->area();
    if (sum > 1e9) throw std::overflow_error(name);
  }
  return sum;
}

using Shapes = std::map<std::string, std::unique_ptr<Shape>>;

double largest(const Shapes &shapes);
std::vector<std::string> names(const Shapes &shapes, const std::string &prefix);

}  // namespace shapes
