/* The README's example: a small service with a leak. Each session has a name, a buffer and a history. Closing a session
 * that failed does not free its history.
 *
 * live 50 x 200 heap remember
 * live 1 x 8192 heap open_log
 */
#include "program.h"

struct session {
  char *name;
  char *buffer;
  char *history;
};

NOINLINE static char *copy(const char *text) {
  char *copied = malloc(strlen(text) + 1);
  CHECK(copied != NULL);
  return strcpy(copied, text);
}

NOINLINE static void remember(struct session *session, int id) {
  session->history = malloc(200);
  CHECK(session->history != NULL);
  snprintf(session->history, 200, "session %d begins", id);
}

NOINLINE static struct session *open_session(int id) {
  struct session *session = malloc(sizeof *session);
  CHECK(session != NULL);
  char name[32];
  snprintf(name, sizeof name, "session-%d", id);
  session->name = copy(name);
  session->buffer = calloc(1, 4096);
  remember(session, id);
  return session;
}

NOINLINE static void close_session(struct session *session, int failed) {
  free(session->name);
  free(session->buffer);
  if (!failed) free(session->history);
  free(session);
}

static char *log_buffer;
NOINLINE static void open_log(void) { log_buffer = malloc(8192); }

NOINLINE static void serve(int sessions) {
  for (int id = 0; id < sessions; id++) close_session(open_session(id), id % 20 == 0);
}

int main(int count, char **arguments) {
  open_log();
  CHECK(log_buffer != NULL);
  serve(count > 1 ? atoi(arguments[1]) : 1000);
  say("served %s sessions\n", count > 1 ? arguments[1] : "1000");
  return 0;
}
