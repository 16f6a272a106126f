// words: indexes the words of a text with std::map and std::string, as C++ programs do.
//
//     words ROUNDS
//
// Each round writes a text, splits it into words, notes for each in a map on which lines it is, drops the rare ones,
// and prints what is left into a string.

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "random.h"

static uint64_t state = 88172645463325252u;

struct Use {
  int count = 0;
  std::vector<int> lines;
};
using Index = std::map<std::string, Use>;

/* Some words are frequent, most are rare; a few are longer than what a std::string holds without asking for memory. */
static std::string word_of(uint64_t number) {
  static const char *const syllables[] = {"ka", "lo", "mi", "ren", "tu", "sa", "vel", "no", "pi", "dor"};
  std::string word;
  for (number += 10; number; number /= 10) word += syllables[number % 10];
  return number % 3 ? word : word + "ation";
}

static std::string text_of(int lines) {
  std::string text;
  for (int line = 0; line < lines; line++) {
    for (int i = 0; i < 10; i++) {
      uint64_t choice = next_random(&state) % 1000;
      text += word_of(choice * choice % 20000);
      text += i % 4 == 3 ? ", " : " ";
    }
    text += ".\n";
  }
  return text;
}

static void index_line(Index &index, const std::string &line, int number) {
  size_t at = 0;
  while (at < line.size()) {
    while (at < line.size() && !std::isalpha(static_cast<unsigned char>(line[at]))) at++;
    std::string word;
    while (at < line.size() && std::isalpha(static_cast<unsigned char>(line[at])))
      word += static_cast<char>(std::tolower(line[at++]));
    if (word.empty()) continue;
    Use &use = index[word];
    use.count++;
    if (use.lines.empty() || use.lines.back() != number) use.lines.push_back(number);
  }
}

static std::string print(const Index &index) {
  std::vector<std::pair<int, std::string>> rows;
  for (const auto &[word, use] : index) rows.emplace_back(use.count, word);
  std::sort(rows.begin(), rows.end());
  std::ostringstream out;
  for (const auto &[count, word] : rows) out << word << ": " << count << '\n';
  return out.str();
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? std::atoi(argv[1]) : 10;
  size_t sum = 0;
  for (int round = 0; round < rounds; round++) {
    Index index;
    std::istringstream text(text_of(1000));
    std::string line;
    for (int number = 1; std::getline(text, line); number++) index_line(index, line, number);
    for (auto place = index.begin(); place != index.end();)
      place = place->second.count < 3 ? index.erase(place) : std::next(place);
    sum += print(index).size();
  }
  return sum == 0;
}
