// A program that replaces operator new and delete of single objects only, with a header in front of each block that it
// checks; all other forms lead to these two by way of the C++ runtime. After libstdc++'s tests of replaced operators.
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

struct alignas(32) Header {
  std::size_t magic, size;
};

static int live, wrong;

void *operator new(std::size_t size) {
  auto *header = static_cast<Header *>(std::aligned_alloc(32, (sizeof(Header) + size + 31) / 32 * 32));
  if (!header) throw std::bad_alloc();
  *header = {0x600d, size};
  live++;
  return header + 1;
}

void operator delete(void *block) noexcept {
  if (!block) return;
  auto *header = static_cast<Header *>(block) - 1;
  wrong += header->magic != 0x600d;
  header->magic = 0;
  live--;
  std::free(header);
}

struct Node {
  Node *next;
  char bytes[100];
};

int main() {
  Node *list = nullptr;
  for (int number = 0; number < 50; number++) list = new Node{list, {}};
  for (int number = 0; number < 20; number++) {
    Node *next = list->next;
    delete list;
    list = next;
  }
  delete[] new char[77];
  delete[] new std::string[5];
  delete new (std::nothrow) int(3);
  delete[] new (std::nothrow) double[9];
  new char[333], new (std::nothrow) char[444];
  ::operator delete(::operator new(55), std::size_t(55));
  ::operator delete[](::operator new[](66), std::size_t(66));
  auto *left = new std::vector<std::string>(10, std::string(200, 'z'));
  left->resize(6);
  std::printf("%d live, %d wrong\n", live, wrong);
  return 0;
}
