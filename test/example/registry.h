// A registry of named sessions: what the example's program is about.
#pragma once

class Registry {
 public:
  /// Opens a session, which the registry owns.
  void open(const char *name);
  /// Ends it. False if there is none.
  bool close(const char *name);

 private:
  struct Session;
  Session *first_ = nullptr;
};

/// The registry of the program. It is never freed, on purpose.
Registry &registry();
