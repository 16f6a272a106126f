// Every form of new and delete, of arrays, aligned, without exceptions; constructors that throw, classes with
// operators of their own, a new handler that gives room, containers, threads. After libstdc++'s tests of the operators
// and valgrind's.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct alignas(128) Wide {
  char bytes[200];
  ~Wide() { bytes[0] = 0; }
};

struct Thrower {
  explicit Thrower(int number) : block(new char[64]) {
    if (number % 2) throw std::runtime_error("odd");
  }
  std::unique_ptr<char[]> block;
};

struct Own {
  static void *operator new(std::size_t size) { return std::malloc(size + 100); }
  static void operator delete(void *block) { std::free(block); }
  int value[10];
};

struct Base {
  virtual ~Base() = default;
  std::string name = "a name that does not fit into the object itself";
};
struct Derived : Base {
  int more[100];
};

static std::vector<void *> reserve;

static void give_room() {
  if (reserve.empty()) throw std::bad_alloc();
  ::operator delete(reserve.back());
  reserve.pop_back();
}

int main() {
  new int(1), new char[100], new std::string("left behind, and longer than what fits inside"), new Wide, new Wide[3];
  delete new int(2);
  delete[] new Derived[5];
  delete static_cast<Base *>(new Derived);
  delete new Wide, delete[] new Wide[4];
  new (std::nothrow) double[12], delete[] new (std::nothrow) double[13];
  ::operator delete(::operator new(24), std::nothrow);
  ::operator delete(::operator new(48, std::align_val_t(64)), std::size_t(48), std::align_val_t(64));
  new Own, delete new Own;
  int caught = 0;
  for (int number = 0; number < 6; number++) try {
      delete new Thrower(number);
    } catch (const std::exception &) {
      caught++;
    }
  for (int block = 0; block < 3; block++) reserve.push_back(::operator new(5000));
  std::set_new_handler(give_room);
  volatile std::size_t huge = PTRDIFF_MAX;
  try {
    ::operator delete(::operator new(huge));
  } catch (const std::bad_alloc &error) {
    caught++;
  }
  std::printf("%d thrown, without: %s, %zu left\n", caught, ::operator new(huge, std::nothrow) ? "a block" : "none",
              reserve.size());
  auto *map = new std::map<int, std::string>;
  for (int key = 0; key < 200; key++) (*map)[key] = std::string(static_cast<std::size_t>(key), 'x');
  map->erase(map->begin(), map->find(90));
  auto *list = new std::list<std::shared_ptr<Derived>>(20, std::make_shared<Derived>());
  list->resize(7);
  auto answer = std::async(std::launch::async, [] { return std::vector<int>(1000, 1).size(); });
  std::thread([] { new int[77]; }).join();
  std::printf("%zu\n", answer.get());
  static std::vector<std::string> at_end(30, std::string(100, 'y'));
  return 0;
}
