/* Redirecting second names, and modules loaded with RTLD_DEEPBIND; see redirect.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_phdr_info */
#endif
#include "redirect.h"

#include "bindings.h"
#include "hook.h"
#include "../life/loaded.h"
#include "../life/life.h"
#include "../base/lock.h"
#include "names.h"
#include "../base/text.h"

static uint64_t seen_changes; /* loads and unloads at the last search; 0: not started */
static uint64_t seen_unloads; /* unloads then: while they are the same, so are the first `searched` modules */
static uint32_t searched;
static bool loading;          /* something has been loaded since then */
static uint32_t started_in;   /* the pid of the process that started it */
static struct mh_lock lock;
static uint64_t maybe[64]; /* a filter: a bit for each redirected function, by a hash of its address */

static bool is_own(const struct mh_loaded *module) {
  return mh_loaded_holds(module, (uintptr_t)mh_redirect_start);
}

/* Modules whose definitions are never changed. The program: its calls of its own functions need no symbol, and seeing
 * only half of the calls would show leaks that are none. The loader, where it is not the C library: its definitions are
 * for itself. And memhook. */
static bool keeps_its_own(const struct mh_loaded *module) {
  bool loader = mh_real.gnu_get_libc_version && mh_loaded_holds(module, (uintptr_t)mh_real.__tls_get_addr);
  return module->index == 0 || loader || is_own(module);
}

static uintptr_t address_of(const struct mh_loaded *module, const char *name, uint32_t hash) {
  const ElfW(Sym) *symbol = mh_loaded_symbol(module, name, hash, NULL);
  return symbol ? mh_loaded_address(module, symbol) : 0;
}

/* Whether the module's function of this name is the one that names.h means. */
static bool is_of_family(const struct mh_loaded *module, const char *name) {
  static const struct family {
    const char *start, *take, *give;
  } families[] = {
#define F(start, take, give) {start, take, give},
      MH_NAME_FAMILIES(F)
#undef F
  };
  for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
    const struct family *family = &families[i];
    if (mh_starts(name, family->start))
      return mh_loaded_function(module, family->take) && mh_loaded_function(module, family->give);
  }
  return true;
}

/* Redirects a name's definition to the hook, in all versions of the symbol that are this function. */
static bool lead(const struct mh_loaded *module, const char *name, uint32_t hash, uintptr_t real, uintptr_t hook) {
  bool led = false;
  const ElfW(Sym) *symbol = mh_loaded_symbol(module, name, hash, NULL);
  for (; symbol; symbol = mh_loaded_symbol(module, name, hash, symbol))
    if (mh_loaded_address(module, symbol) == real)
      led |= mh_bindings_write(module, (uintptr_t *)(uintptr_t)&symbol->st_value, hook - module->image.bias);
  return led;
}

/* Notes which names are redirected already. */
static bool note_present(const struct mh_loaded *module, void *unused) {
  (void)unused;
  if (is_own(module)) return true;
  for (unsigned i = 0; i < mh_redirect_count; i++) {
    struct mh_redirect *name = &mh_redirects[i];
    uintptr_t expected = (uintptr_t)(name->hook ? name->hook : name->real);
    if (name->real && address_of(module, name->name, name->hash) == expected) name->present = true;
  }
  return true;
}

static uint64_t *filter_of(uintptr_t function, uint64_t *bit) {
  uint32_t hash = (uint32_t)((function >> 4) * 0x9e3779b97f4a7c15u >> 52);
  *bit = 1ull << hash % 64;
  return &maybe[hash / 64];
}

/* Redirects the names that this module is the first to define. */
static bool take_over(const struct mh_loaded *module, void *more) {
  if (keeps_its_own(module)) return true;
  for (unsigned i = 0; i < mh_redirect_count; i++) {
    struct mh_redirect *name = &mh_redirects[i];
    uintptr_t real = name->present ? 0 : address_of(module, name->name, name->hash);
    if (!real || !is_of_family(module, name->name)) continue;
    __atomic_store_n(&name->real, (void *)real, __ATOMIC_RELEASE);
    name->present = !name->hook || lead(module, name->name, name->hash, real, (uintptr_t)name->hook);
    uint64_t bit, *word = filter_of(real, &bit);
    if (name->hook) *word |= bit;
    *(bool *)more = true;
  }
  return true;
}

/* The hook of a redirected function; any other address stays as it is. */
static uintptr_t hook_of(uintptr_t address) {
  uint64_t bit;
  if (MH_LIKELY(!(*filter_of(address, &bit) & bit))) return address;
  for (unsigned i = 0; i < mh_redirect_count; i++) {
    const struct mh_redirect *name = &mh_redirects[i];
    if (name->present && name->hook && (uintptr_t)name->real == address) return (uintptr_t)name->hook;
  }
  return address;
}

static bool rebind(const struct mh_loaded *module, void *unused) {
  (void)unused;
  if (!is_own(module)) mh_bindings_each(module, hook_of);
  return true;
}

/* Does the work once for each change of the modules. It can be restarted if it was interrupted for good. */
static void once(void (*work)(struct mh_changes changes), uint64_t *seen) {
  struct mh_changes changes = mh_loaded_changes();
  uint64_t now = changes.loads + changes.unloads;
  if (MH_GET(*seen) == now || mh_lock_acquire_reentrant(&lock, (uint32_t)mh_gettid()) == MH_LOCK_REFUSED) return;
  if (MH_GET(*seen) != now) work(changes);
  MH_SET(*seen, now);
  mh_lock_release(&lock);
}

/* New modules come behind the old ones. So while nothing is unloaded, only the new ones are searched: a program with
 * many plugins loads one after the other. References are only rebound when another name has been redirected. */
static void redirect(struct mh_changes changes) {
  if (!searched || changes.unloads != seen_unloads) {
    for (unsigned i = 0; i < mh_redirect_count; i++) {
      mh_redirects[i].hash = mh_symbols_hash(mh_redirects[i].name);
      mh_redirects[i].present = false;
    }
    searched = 0;
    mh_loaded_each(note_present, NULL);
  }
  uint32_t first = searched;
  bool more = first == 0;
  searched = 0; /* until this is complete */
  uint32_t count = mh_loaded_from(first, take_over, &more);
  if (more) mh_loaded_each(rebind, NULL);
  seen_unloads = changes.unloads;
  searched = count;
}

void mh_redirect_start(void) {
  if (MH_GET(started_in)) return; /* a child that starts empty: the loader's lock may be held for ever */
  MH_SET(started_in, (uint32_t)mh_getpid());
  once(redirect, &seen_changes);
}

void mh_redirect_forked(void) {
  lock = (struct mh_lock){0};
}

/* The hooks of functions.h. `real` is NULL where the table of the real functions has none: then only libc has the
 * function, or nobody. */
static struct exported {
  const char *name;
  void *const *real;
  uintptr_t hook;
} exported[] = {
#define HOOKED(function, ...) {.name = #function, .real = (void *const *)&mh_real.function},
#define HOOK(function, ...) {.name = #function},
#define REAL(function, ...)
    MH_FUNCTIONS(HOOKED, HOOK, REAL)
#undef HOOKED
#undef HOOK
#undef REAL
};
#define EXPORTED_COUNT (sizeof exported / sizeof *exported)

/* In C a hook's name means the program's first definition. So the hooks' own addresses are looked up here. */
static bool note_hooks(const struct mh_loaded *module, void *unused) {
  (void)unused;
  if (!is_own(module)) return true;
  for (unsigned i = 0; i < EXPORTED_COUNT; i++)
    exported[i].hook = address_of(module, exported[i].name, mh_symbols_hash(exported[i].name));
  return false;
}

static bool lead_exported(const struct mh_loaded *module, void *unused) {
  (void)unused;
  if (keeps_its_own(module)) return true;
  bool libc = address_of(module, "getauxval", mh_symbols_hash("getauxval")) == (uintptr_t)mh_real.getauxval;
  for (unsigned i = 0; i < EXPORTED_COUNT; i++) {
    const char *name = exported[i].name;
    uint32_t hash = mh_symbols_hash(name);
    uintptr_t address = address_of(module, name, hash);
    if (!address || !exported[i].hook) continue;
    uintptr_t real = exported[i].real ? (uintptr_t)*exported[i].real : libc ? address : 0;
    if (lead(module, name, hash, real, exported[i].hook)) continue;
    /* libc's malloc, where another allocator's malloc precedes it: a heap of its own, also called __libc_malloc. */
    uintptr_t hook = hook_of(address);
    if (hook != address) lead(module, name, hash, address, hook);
  }
  return true;
}

static void redirect_exported(struct mh_changes changes) {
  (void)changes;
  mh_loaded_each(note_hooks, NULL);
  mh_loaded_each(lead_exported, NULL);
}

void mh_redirect_asked(void) {
  if (MH_GET(loading) && (uint32_t)mh_getpid() == MH_GET(started_in)) once(redirect, &seen_changes);
}

void mh_redirect_loading(bool deep) {
  static uint64_t led_changes;
  if (!MH_GET(seen_changes)) return;
  if (MH_GET(loading)) once(redirect, &seen_changes);
  MH_SET(loading, true);
  if (deep && mh_real.gnu_get_libc_version) once(redirect_exported, &led_changes);
}
