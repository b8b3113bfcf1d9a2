import { readFileSync } from "node:fs";

const LISTEN = "0A";
/** SYN_SENT and SYN_RECV: nobody has answered yet. */
const ATTEMPTS = ["02", "03"];

const ROW = /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) /gm;

/** TCP as one network namespace sees it. */
export type Sockets = Readonly<{
  /** Ports that others can reach: what listens on loopback alone is not among them. */
  listening: ReadonlySet<number>;
  /** Connections that came in to a listening port, by the address that opened them, also those that were closed within the last minute. */
  accepted: readonly Readonly<{ from: string; port: number }>[];
  /** Connections that went out, by where they lead: of one that was closed only this end is remembered. */
  opened: readonly Readonly<{ to: string; port: number }>[];
}>;

/** Reads the sockets of a process's network namespace. */
export function readSockets(pid: number): Sockets {
  return parseSockets(["tcp", "tcp6"].map((file) => readFileSync(`/proc/${pid}/net/${file}`, "utf8")).join("\n"));
}

/** The same from the text of /proc/net/tcp and tcp6. */
export function parseSockets(text: string): Sockets {
  const rows = [...text.matchAll(ROW)].map(([, local = "", port = "", remote = "", remotePort = "", state = ""]) => ({
    local: addressOf(local),
    port: Number.parseInt(port, 16),
    remote: addressOf(remote),
    remotePort: Number.parseInt(remotePort, 16),
    state,
  }));
  const isLoopback = (address: string) => address.startsWith("127.") || address === "::1";
  const reachable = rows.filter(({ state, local }) => state === LISTEN && !isLoopback(local));
  const listening = new Set(reachable.map(({ port }) => port));
  const connected = rows.filter(
    ({ state, local }) => state !== LISTEN && !ATTEMPTS.includes(state) && !isLoopback(local),
  );
  return {
    listening,
    accepted: connected.filter(({ port }) => listening.has(port)).map(({ remote, port }) => ({ from: remote, port })),
    opened: connected
      .filter(({ port }) => !listening.has(port))
      .map(({ remote, remotePort }) => ({ to: remote, port: remotePort })),
  };
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
