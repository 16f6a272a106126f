// churn: builds, changes and drops std::map and std::string, as C++ programs do.
//
//     churn ROUNDS
//
// Each round fills a map of strings, looks half of them up, erases a third, and joins what is left.

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "random.h"

static uint64_t state = 88172645463325252u;

struct Entry {
  std::string name;
  std::vector<int> uses;
};

static std::string name_of(uint64_t number) {
  std::string name = "entry of the map number ";
  name += std::to_string(number);
  return name;
}

static void fill(std::map<std::string, Entry> &entries, int count) {
  for (int i = 0; i < count; i++) {
    std::string name = name_of(next_random(&state) % 100000);
    Entry &entry = entries[name];
    entry.name = name;
    for (uint64_t k = next_random(&state) % 4; k; k--) entry.uses.push_back(static_cast<int>(k));
  }
}

static size_t look_up(const std::map<std::string, Entry> &entries, int count) {
  size_t found = 0;
  for (int i = 0; i < count; i++) {
    auto place = entries.find(name_of(next_random(&state) % 100000));
    if (place != entries.end()) found += place->second.uses.size();
  }
  return found;
}

static void erase_some(std::map<std::string, Entry> &entries) {
  int turn = 0;
  for (auto place = entries.begin(); place != entries.end();)
    place = ++turn % 3 ? std::next(place) : entries.erase(place);
}

static std::string join(const std::map<std::string, Entry> &entries) {
  std::string all;
  for (const auto &[name, entry] : entries) all += name + "=" + entry.name.substr(0, 20) + ";";
  return all;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? std::atoi(argv[1]) : 10;
  size_t sum = 0;
  std::map<std::string, Entry> lasting;
  for (int round = 0; round < rounds; round++) {
    std::map<std::string, Entry> entries;
    fill(entries, 4000);
    sum += look_up(entries, 2000);
    erase_some(entries);
    sum += join(entries).size();
    fill(lasting, 200);
  }
  return sum == 0;
}
