// The same in C++: static and thread_local objects that allocate as they come and go.
//
// live 1 x 2001 heap in_static_constructor()
// live 4 x 2002 heap in_thread_local_constructor()
// live 4 x 2003 heap in_thread_local_destructor()
// live 1 x 2004 heap in_static_destructor()
#include <thread>

#include "program.h"

NOINLINE static void in_static_constructor() { keep(::operator new(2001), 2001); }
NOINLINE static void in_static_destructor() { keep(::operator new(2004), 2004); }
NOINLINE static void in_thread_local_constructor() { keep(::operator new(2002), 2002); }
NOINLINE static void in_thread_local_destructor() { keep(::operator new(2003), 2003); }

struct Static {
  Static() { in_static_constructor(); }
  ~Static() { in_static_destructor(); }
} object;

struct Local {
  int touched = 0;
  Local() { in_thread_local_constructor(); }
  ~Local() { in_thread_local_destructor(); }
};

static thread_local Local local;

int main() {
  for (int i = 0; i < 4; i++) std::thread([] { local.touched++; }).join();
}
