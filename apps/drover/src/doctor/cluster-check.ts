import { systemClock, toDroverError, withTimeout } from "@drover/core";
import { type ClusterState, type SlowWorker, slowWorkers, type WorkerState } from "@drover/fleet";
import { judgeSkew } from "./clock-check.ts";
import { type Finding, Findings } from "./finding.ts";
import { DATE_HEADER_MS, DOCTOR_ANSWER_LIMIT, PEERS_ASKED_AT_ONCE, SILENT_MS_WARN } from "./limits.ts";
import { type PeerFault, probeScheduler, probeWorker } from "./peer-probe.ts";

/** Asks the schedulers that are named. */
export async function checkSchedulers(addresses: readonly string[], signal: AbortSignal): Promise<readonly Finding[]> {
  const found = await Promise.all(
    addresses.map(async (address) => {
      const findings = new Findings(`scheduler ${address}`);
      judgePeer(findings, address, await probeScheduler(address, signal));
      return findings.all;
    }),
  );
  return found.flat();
}

/**
 * Judges what a router knows of its cluster, undefined while it knows nothing, and asks each worker of it. `readAtMs`: when the state was
 * read, Unix milliseconds of this machine.
 */
export async function checkCluster(
  state: ClusterState | undefined,
  readAtMs: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const all = [...judgeCluster(state)];
  const workers = state?.workers ?? [];
  const slow = slowWorkers(workers);
  for (let at = 0; at < workers.length; at += PEERS_ASKED_AT_ONCE) {
    const asked = workers.slice(at, at + PEERS_ASKED_AT_ONCE);
    const found = await Promise.all(
      asked.map(async (worker) => [
        ...(await checkWorker(worker, readAtMs, signal)),
        ...judgePace(worker, slow.get(worker.workerId)),
      ]),
    );
    all.push(...found.flat());
  }
  return all;
}

/** A cluster of which nothing is known. */
const UNKNOWN = { workers: [], ready: false, expertMap: { complete: false }, expertShortage: undefined } as const;

function judgeCluster(state: ClusterState | undefined): readonly Finding[] {
  const { workers, ready, expertMap, expertShortage } = state ?? UNKNOWN;
  const findings = new Findings("cluster");
  if (state === undefined)
    findings.fail(
      "leader",
      "no scheduler leads",
      "Start one, or look at why those there are do not: /readyz of each, and Redis.",
    );
  else findings.ok("leader", `${state.schedulerId}, epoch ${state.leaderEpoch}`);
  if (ready) findings.ok("ready", "requests can be served");
  else findings.fail("ready", "no request can be served", "See below which role is missing or not ready.");
  for (const role of ["attention", "experts"] as const) {
    const count = workers.filter(({ roles }: Pick<WorkerState, "roles">) => roles.includes(role)).length;
    if (count > 0) findings.ok(`role ${role}`, `${count} of the workers`);
    else findings.fail(`role ${role}`, "no worker has it", `Start one: drover worker --roles ${role}.`);
  }
  if (expertMap.complete) findings.ok("experts", "each has a holder");
  else
    findings.fail(
      "experts",
      "some have no holder",
      "Start more workers with the role experts, or wait until they have loaded.",
    );
  if (expertShortage !== undefined)
    findings.warn("expert memory", expertShortage, "Add a worker with the role experts, or give them more memory.");
  return findings.all;
}

async function checkWorker(worker: WorkerState, readAtMs: number, signal: AbortSignal): Promise<readonly Finding[]> {
  const { workerId, address, adminAddress, roles, status, silentMs } = worker;
  const findings = new Findings(`worker ${workerId}`);
  judgePeer(findings, address, await probeWorker(address, roles, signal));
  await checkReadiness(findings, adminAddress, signal);
  if (silentMs > SILENT_MS_WARN)
    findings.warn(
      "heartbeat",
      `silent for ${(silentMs / 1000).toFixed(1)} s`,
      "It is busy, hung or cut off from the scheduler: see its log.",
    );
  if (status !== undefined && status.sentAtMs > 0) {
    // The leader sends what it knows each second, and the router keeps the last: the report is up to so much older than it says.
    judgeSkew(findings, status.sentAtMs + silentMs - readAtMs, DATE_HEADER_MS);
  }
  return findings.all;
}

/** What others find of it: whose experts are slow holds up every step of everybody. */
function judgePace({ workerId, frozen }: WorkerState, slow: SlowWorker | undefined): readonly Finding[] {
  const findings = new Findings(`worker ${workerId}`);
  if (frozen)
    findings.warn("process", "it is frozen, or its host is gone", "What it had goes on elsewhere. See its host.");
  if (slow?.isSilent === true)
    findings.warn(
      "pace",
      `${slow.foundBy} gets no answer of its experts`,
      "Others load them meanwhile. It hangs, or the network between the two is cut: see its log.",
    );
  else if (slow !== undefined)
    findings.warn(
      "pace",
      `${slow.foundBy} waits ${slow.slowness.toFixed(1)} times as long for its experts as for those of others`,
      "It gets fewer rows where others hold the same experts. See what else its machine does, and the network between the two.",
    );
  return findings.all;
}

/** The admin port is for those who watch: that it is not reached from here need not be wrong. */
async function checkReadiness(findings: Findings, adminAddress: string, signal: AbortSignal): Promise<void> {
  try {
    const [response, { reason }] = await withTimeout(DOCTOR_ANSWER_LIMIT, systemClock, signal, async (limited) => {
      const answer = await fetch(`http://${adminAddress}/readyz`, { signal: limited });
      return [answer, (await answer.json()) as { reason?: string }] as const;
    });
    if (response.ok) findings.ok("ready", "yes");
    else findings.warn("ready", reason ?? `answers ${response.status}`, "Wait, or see its log.");
  } catch {
    findings.warn(
      "ready",
      `its admin port ${adminAddress} is not reached from here`,
      "Open it for Prometheus and probes, or ignore this.",
    );
  }
}

function judgePeer(findings: Findings, address: string, fault: PeerFault): void {
  if (fault === undefined) {
    findings.ok("reachable", address);
    findings.ok("protocol", "agrees with this build's");
  } else if (fault.code === "protocol_mismatch") {
    findings.ok("reachable", address);
    findings.fail("protocol", fault.message, "Roll all processes to one version.");
  } else if (fault.code === "not_a_member") {
    findings.ok("reachable", address);
    findings.ok("protocol", `not asked: ${fault.message}`);
  } else
    findings.fail(
      "reachable",
      `${address}: ${fault.message}`,
      "See that it runs, and that --listen, --advertise and network policies let others reach it.",
    );
}

/** How far the router's clock is off, by its `Date` header. */
export async function checkRouterClock(url: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const findings = new Findings("router");
  try {
    const began = Date.now();
    const response = await withTimeout(DOCTOR_ANSWER_LIMIT, systemClock, signal, (limited) =>
      fetch(`${url.replace(/\/+$/, "")}/health`, { signal: limited }),
    );
    const readAtMs = (began + Date.now()) / 2;
    await response.body?.cancel();
    const date = Date.parse(response.headers.get("date") ?? "");
    // The header says the second that has begun.
    if (!Number.isNaN(date)) judgeSkew(findings, date + DATE_HEADER_MS / 2 - readAtMs, DATE_HEADER_MS);
  } catch (error) {
    findings.fail(
      "reachable",
      `${url}: ${toDroverError(error).message}`,
      "Start a router, or name its HTTP address by --url.",
    );
  }
  return findings.all;
}
