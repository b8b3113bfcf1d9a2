import { toDroverError } from "@drover/core";
import { judgeSkew } from "./clock-check.ts";
import { type Finding, Findings } from "./finding.ts";
import { REDIS_LATENCY_MS_WARN, REDIS_VERSION_MIN } from "./limits.ts";
import { type RedisFacts, readRedis } from "./redis-facts.ts";

/** Asks the queue's Redis and judges what it says. The URL is not repeated: it may hold a password. */
export async function checkRedis(url: string): Promise<readonly Finding[]> {
  try {
    return judgeRedis(await readRedis(url));
  } catch (error) {
    const findings = new Findings("redis");
    const advice =
      "Start it, or name another by --redis; a password belongs into the URL: redis://:PASSWORD@HOST:PORT.";
    findings.fail("reachable", toDroverError(error).message, advice);
    return findings.all;
  }
}

/** The queue is a database: what it forgets is a request that nobody answers. */
export function judgeRedis(facts: RedisFacts): readonly Finding[] {
  const findings = new Findings("redis");
  judgeVersion(facts, findings);
  const { policy, role, pingMs, timeMs, askedAtMs } = facts;
  if (role === "master") findings.ok("role", "takes writes");
  else findings.fail("role", `is a ${role || "server of unknown role"}`, "Name the primary: jobs are written.");
  if (policy === "noeviction") findings.ok("maxmemory-policy", policy);
  else if (policy === undefined)
    findings.warn("maxmemory-policy", "cannot be read", "Make sure that it is noeviction.");
  else
    findings.fail(
      "maxmemory-policy",
      `${policy}: it drops jobs when it is full`,
      "CONFIG SET maxmemory-policy noeviction, and so in its configuration.",
    );
  judgePersistence(facts, findings);
  judgeMemory(facts, findings);
  const latency = `a ping takes ${pingMs.toFixed(1)} ms`;
  if (pingMs <= REDIS_LATENCY_MS_WARN) findings.ok("latency", latency);
  else
    findings.warn(
      "latency",
      latency,
      "Each request waits for it three times: bring Redis nearer, or look at SLOWLOG and its disk.",
    );
  judgeSkew(findings, timeMs - askedAtMs, 0);
  return findings.all;
}

function judgeVersion({ version }: RedisFacts, findings: Findings): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [needMajor, needMinor] = REDIS_VERSION_MIN;
  if (major > needMajor || (major === needMajor && minor >= needMinor)) findings.ok("version", version);
  else findings.fail("version", version || "unknown", `Use Redis ${needMajor}.${needMinor} or newer.`);
}

function judgePersistence(
  { appendOnly, appendFsync, aofWriteStatus, rdbStatus }: RedisFacts,
  findings: Findings,
): void {
  if (appendOnly !== "yes") {
    findings.warn(
      "persistence",
      "no append-only file: a restart forgets what waits",
      "Set appendonly yes and appendfsync everysec.",
    );
  } else if (appendFsync === "no") {
    findings.warn(
      "persistence",
      "appendfsync is no: a crash of the machine forgets up to half a minute",
      "Set appendfsync everysec.",
    );
  } else findings.ok("persistence", `append-only file, appendfsync ${appendFsync ?? "unknown"}`);
  if (aofWriteStatus === "err" || rdbStatus === "err")
    findings.fail(
      "disk",
      "its last write to disk failed",
      "Look at its log and at the space of its volume: it refuses writes until that is mended.",
    );
}

function judgeMemory({ usedBytes, maxBytes }: RedisFacts, findings: Findings): void {
  const used = `${Math.round(usedBytes / 2 ** 20)} MiB used`;
  if (maxBytes === 0) findings.ok("memory", `${used}, no limit`);
  else if (usedBytes < maxBytes * 0.8) findings.ok("memory", `${used} of ${Math.round(maxBytes / 2 ** 20)} MiB`);
  else
    findings.warn(
      "memory",
      `${used} of ${Math.round(maxBytes / 2 ** 20)} MiB`,
      "Raise maxmemory: when it is full, new requests are answered with 503.",
    );
}
