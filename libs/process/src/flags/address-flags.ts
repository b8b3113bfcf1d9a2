import { hostname } from "node:os";

/** Flags that every process of a cluster has: where it listens, and where its peers find it. */
export const ADDRESS_FLAGS = {
  listen: { kind: "string", form: "host", default: "127.0.0.1", valueName: "HOST", help: "Address to bind to." },
  advertise: {
    kind: "string",
    form: "host",
    valueName: "HOST",
    help: "Name or address that peers use; absent: --listen, and this machine's name where that is a wildcard.",
  },
} as const;

const WILDCARDS = ["0.0.0.0", "::"];

/** The host that peers dial: what is advertised, else what is listened on, or this machine's name where that is a wildcard, which is no address. */
export function advertisedHost({
  advertise,
  listen,
}: Readonly<{ advertise?: string | undefined; listen: string }>): string {
  return advertise ?? (WILDCARDS.includes(listen) ? hostname() : listen);
}
