import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const FILES =
  "open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,symlink,symlinkat,link,linkat,truncate";
const NETWORK = "connect,sendto,sendmsg,sendmmsg";

/** The command that has a program, and all that it starts, traced into a file: what they run, open, make and speak to. */
export const straceCommand = (file: string): readonly string[] => [
  "strace",
  // The tracer is a grandchild, so that the program has the pid and the parent that it would have without.
  ...["-D", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-s", "300", "-o", file],
  ...["-e", `trace=execve,${FILES},${NETWORK}`],
];

/** One call that succeeded or was under way, as strace writes it, without its process's id. */
export type SystemCall = Readonly<{ name: string; text: string }>;

/** The calls of a trace that did something; those that two processes' lines cut in two are put together. */
export function systemCalls(file: string): SystemCall[] {
  const begun = new Map<string, string>();
  const calls: SystemCall[] = [];
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [, pid = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith(" <unfinished ...>")) {
      begun.set(pid, rest.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const text = resumed === undefined ? rest : `${begun.get(pid) ?? ""}${resumed}`;
    const name = /^(\w+)\(/.exec(text)?.[1];
    // A connection that is being made is one.
    if (name !== undefined && (!/ = -1 E\w+/.test(text) || text.includes("EINPROGRESS"))) calls.push({ name, text });
  }
  return calls;
}

const PATH_CALLS = new Set(FILES.split(","));
const WRITES = /O_WRONLY|O_RDWR|O_CREAT/;

/** The files and folders that a call opened, made or renamed, and whether for writing. */
export function touched({ name, text }: SystemCall): { path: string; written: boolean }[] {
  if (!PATH_CALLS.has(name)) return [];
  const written = !name.startsWith("open") || WRITES.test(text);
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].flatMap(([, path]) =>
    path === undefined ? [] : [{ path, written }],
  );
}

/** What a call spoke to, where that is no peer on loopback: an address elsewhere, a server of names, a socket file. */
export function foreignPeer({ name, text }: SystemCall): string | undefined {
  if (!NETWORK.split(",").includes(name)) return undefined;
  const addresses = [...text.matchAll(/inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/g)];
  const isElsewhere = addresses.some(
    ([, v4, v6]) => !(v4?.startsWith("127.") ?? (v6 === "::1" || v6 === "::ffff:127.0.0.1")),
  );
  const asksNames = /htons\(53\)/.test(text);
  const isSocketFile = /sun_path="(?!\/var\/run\/nscd\/)/.test(text);
  return isElsewhere || asksNames || isSocketFile ? text : undefined;
}

/** Whether there is a strace. In continuous integration there has to be: no test passes there for want of it. */
export function canTrace(): boolean {
  if (process.env.CI) return true;
  try {
    execFileSync("strace", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    // Not installed here.
    return false;
  }
}
