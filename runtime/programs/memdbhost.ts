// The value of MEMHOOK_NET_HOST that a program gets: a host name is replaced by its addresses here. The library has its
// own resolver, because libc's allocates and takes locks. That resolver knows none of the system's plug-ins (NSS: mDNS,
// LDAP, containers).
//
//   memdb.internal   ─▶  10.0.0.7,fd00::7
//   unix:/run/memdb, 10.0.0.7, and a name that nobody knows  ─▶  as they are

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** As many as the library tries. */
const MOST_ADDRESSES = 8;
/** A resolver may try its servers for minutes. */
const PATIENCE_MS = 5000;

export async function memdbHost(host: string): Promise<string> {
  if (host.startsWith("unix:") || isIP(host) !== 0 || host.includes(",")) return host;
  const addresses = await withinTime(lookup(host, { all: true }).catch(() => []));
  // Those of a link have a zone, which the library does not know.
  const usable = addresses.map(({ address }) => address).filter((address) => !address.includes("%"));
  return [...new Set(usable)].slice(0, MOST_ADDRESSES).join() || host;
}

function withinTime<T>(work: Promise<T[]>): Promise<T[]> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => resolve([]), PATIENCE_MS);
    void work.then((done) => {
      clearTimeout(patience);
      resolve(done);
    });
  });
}
