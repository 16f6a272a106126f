// For exceptions.sh: throws, rethrows, nests and carries exceptions to other
// threads, with strings and vectors in every frame.
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static int deep(int depth, const std::string &text) {
  std::vector<std::string> kept(3, text + " a string that has to be allocated");
  auto owned = std::make_unique<int>(depth);
  if (depth == 0) throw std::runtime_error(text);
  int result = deep(depth - 1, text) + *owned;
  return result + (int)kept.size();
}

static long work(int seed) {
  long caught = 0;
  for (int i = 0; i < 4000; i++) {
    try {
      try {
        deep(i % 60, "thrown by " + std::to_string(seed));
      } catch (const std::runtime_error &) {
        caught++;
        if (i % 3 == 0) std::throw_with_nested(std::logic_error("around"));
        if (i % 3 == 1) throw;
      }
    } catch (const std::logic_error &outer) {
      try {
        std::rethrow_if_nested(outer);
      } catch (const std::exception &inner) {
        caught += inner.what()[0] == 't';
      }
    } catch (const std::exception &) {
      caught++;
    }
  }
  return caught;
}

int main() {
  std::vector<std::thread> threads;
  std::vector<long> caught(4);
  std::vector<std::exception_ptr> carried(4);
  for (int i = 0; i < 4; i++)
    threads.emplace_back([&, i] {
      caught[i] = work(i);
      try {
        deep(200, "carried");
      } catch (...) {
        carried[i] = std::current_exception();
      }
    });
  for (auto &thread : threads) thread.join();
  long sum = 0;
  for (int i = 0; i < 4; i++) {
    sum += caught[i];
    try {
      std::rethrow_exception(carried[i]);
    } catch (const std::runtime_error &error) {
      sum += error.what() == std::string("carried");
    }
  }
  try {
    std::vector<char> too_large((size_t)1 << 46);
  } catch (const std::bad_alloc &) {
    sum++;
  }
  std::cout << sum << '\n';
}
