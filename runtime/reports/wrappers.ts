// Functions that are known only to pass an allocation on: the caller of such a function wants the memory.
//
// Full names, as in the projects that they come from, in the alphabetical order of these projects. A program's own
// wrappers are recognised by what they do (places.ts).

const NAMES = new RegExp(
  `^(${[
    // C and POSIX, where a program has them in itself.
    "_*(m|c|re)alloc|reallocarray|memalign|posix_memalign|aligned_alloc|p?valloc|_*strn?dup|v?asprintf|operator new.*",
    // GNU programs, git, coreutils, bash
    "(sh_)?x{1,2}(m|c|re|z|nm|nre|charn?|i?)alloc(array|z|z_gently|_?\\d)?|x\\d?n?realloc|do_x(m|re)alloc\\w*",
    "x(n?mem|str|strn|zmem)dup(z|0|f|_or_null)?|xv?asprintf|xmallocarray|xreallocarray|git__\\w*(alloc\\w*|dup)",
    "(safe_?|checked_|must_|nn_|mem_|my_|os_)(m|c|re|z)?alloc|(m|c|re)alloc_or_(die|abort)|(safe_|my_)strn?dup",
    // APR, PHP, PostgreSQL, Samba, SQLite
    "apr_p(alloc|calloc|strn?dup|strmemdup|memdup|v?sprintf|strcat)(_debug)?|apr_allocator_alloc|allocator_alloc",
    "_?(safe_)?p?e(m|c|re)alloc\\w*|_?p?estrn?dup",
    "palloc\\w*|repalloc\\w*|pn?strdup|pg_(m|re)alloc\\w*|pg_strdup|MemoryContext(Alloc\\w*|Strdup)",
    "AllocSet(Alloc|Realloc)",
    "_?_?talloc(_\\w+)?|_tc_\\w+",
    "sqlite3(_(m|re)alloc(64)?|Malloc\\w*|Realloc|Db(Malloc|Realloc)\\w*|DbStr\\w+|Mem(Malloc|Realloc))",
    "mallocWithAlarm",
    // FFmpeg, GLib, nginx, OpenSSL, curl, libxml2, libuv
    "av_(m|c|re)alloc\\w*|av_fast_\\w*alloc\\w*|av_strn?dup|av_memdup",
    "g_(try_)?(m|re)alloc\\w*|g_strn?dupv?|g_strdup_v?printf|g_memdup2?|g_slice_(alloc0?|copy)|g_aligned_alloc0?",
    "ngx_(p|pn|pc|c|m)?(alloc|memalign|palloc)(_\\w+)?|ngx_pstrdup|ngx_palloc_(small|block|large)",
    "(CRYPTO|OPENSSL)_(secure_)?((clear_)?(m|c|z|re)?alloc(_array)?|aligned_alloc|strn?dup|memdup)",
    "OPENSSL_LH_\\w*alloc",
    "Curl_(c|m|re)?(alloc|strdup|memdup0?)|curl_dbg_(m|c|re)alloc|curl_dbg_strdup",
    "xml(Malloc|Realloc|Mem\\w+|Strn?dup)\\w*",
    "uv__(m|c|re)alloc|uv__reallocf|uv__strn?dup",
    // redis and jemalloc, mimalloc, tcmalloc
    "z(try)?(m|c|re)alloc\\w*|zstrdup|je_\\w*alloc\\w*|mi_\\w*alloc\\w*|mi_\\w*dup|tc_\\w*alloc|rp(m|c|re)alloc",
    // Python, Lua, Perl, Ruby, Java, Rust
    "_?Py(Mem|Object)_(Raw)?(Malloc|Calloc|Realloc|Strdup|GC_Malloc|MALLOC)",
    "_PyMem_\\w+|_PyObject_(GC_)?(Malloc|Alloc|New)\\w*",
    "_?PyObject_(GC_)?(New|NewVar|Resize|Link)|PyType_GenericAlloc|_PyType_AllocNoTrack|gc_alloc|resize_compact",
    "l_alloc|luaM_\\w+|luaC_newobj\\w*|Perl_(safesys|safe)(m|c|re)alloc|Perl_savepvn?|S_more_sv|Perl_more_bodies",
    "(ruby_|objspace_|rb_gc_impl_)x?(m|c|re)alloc\\w*|(Reall|All)ocateHeap|os::(m|re)alloc",
    "(__rustc::)?__(rust|rdl|rg)_\\w*alloc\\w*",
  ].join("|")})$`,
);

/** Whether a function is a known wrapper; its name without parameters, template arguments and what compilers add. */
export function isKnownWrapper(name: string): boolean {
  return NAMES.test(name);
}

/** Whether a symbol can be a known wrapper's. In C++ namespaces and classes there are none but HotSpot's. */
export function mayBeWrapper(symbol: string): boolean {
  return !/^_ZN(?!2os)/.test(symbol);
}
