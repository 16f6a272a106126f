/* The calling thread; see self.h. */
#include "self.h"

__thread struct mh_tls mh_tls __attribute__((tls_model("initial-exec")));
