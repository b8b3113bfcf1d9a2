import { readFileSync } from "node:fs";

const LISTEN = "0A";
const ESTABLISHED = "01";

/** TCP as one network namespace sees it. */
export type Sockets = Readonly<{
  /** Ports that others can reach: what listens on loopback alone is not among them. */
  listening: ReadonlySet<number>;
  /** Connections that came in to a listening port, by the address that opened them. */
  accepted: readonly Readonly<{ from: string; port: number }>[];
}>;

/** Reads the sockets of a process's network namespace. */
export function readSockets(pid: number): Sockets {
  return parseSockets(["tcp", "tcp6"].map((file) => readFileSync(`/proc/${pid}/net/${file}`, "utf8")).join("\n"));
}

/** The same from the text of /proc/net/tcp and tcp6. */
export function parseSockets(text: string): Sockets {
  const rows = [...text.matchAll(/^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):[0-9A-F]{4} ([0-9A-F]{2}) /gm)].map(
    ([, local = "", port = "", remote = "", state = ""]) => ({
      local: addressOf(local),
      port: Number.parseInt(port, 16),
      remote: addressOf(remote),
      state,
    }),
  );
  const reachable = rows.filter(({ state, local }) => state === LISTEN && !local.startsWith("127.") && local !== "::1");
  const listening = new Set(reachable.map(({ port }) => port));
  const accepted = rows
    .filter(({ state, port, local }) => state === ESTABLISHED && listening.has(port) && !local.startsWith("127."))
    .map(({ remote, port }) => ({ from: remote, port }));
  return { listening, accepted };
}

/** The kernel writes each 32 bits of an address as a number of this machine, so the bytes of each group stand backwards. */
function addressOf(hex: string): string {
  const groups = hex.match(/.{8}/g) ?? [];
  const bytes = groups.flatMap((group) =>
    (group.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)),
  );
  const isMapped =
    bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  if (bytes.length === 4 || isMapped) return bytes.slice(-4).join(".");
  if (bytes.every((byte) => byte === 0)) return "::";
  return bytes.every((byte, index) => byte === (index === 15 ? 1 : 0)) ? "::1" : bytes.join(":");
}
