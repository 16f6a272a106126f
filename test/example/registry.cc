#include "registry.h"

#include <cstring>

struct Registry::Session {
  Session *next;
  const char *name;
  char buffer[240];
};

void Registry::open(const char *name) {
  Session *session = new Session();
  session->name = name;
  session->next = first_;
  first_ = session;
}

bool Registry::close(const char *name) {
  for (Session **place = &first_; *place; place = &(*place)->next) {
    Session *session = *place;
    if (std::strcmp(session->name, name) != 0) continue;
    *place = session->next;
#ifndef LEAK
    delete session;
#endif
    return true;
  }
  return false;
}

Registry &registry() {
  static Registry *only = new Registry();
  return *only;
}
