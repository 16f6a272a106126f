/* A library that oracle.cc loads: its variables hold what it is given. */
static void *held;
static __thread void *held_by_thread;

void hold(void *block);
void hold_by_thread(void *block);

void hold(void *block) {
  held = block;
}

void hold_by_thread(void *block) {
  held_by_thread = block;
}

/* So that the variables are there, and written. */
void *holding(int which);
void *holding(int which) {
  return which ? held : held_by_thread;
}
