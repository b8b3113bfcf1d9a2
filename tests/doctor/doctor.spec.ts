import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRedis } from "@drover/queue";
import { freePort, internalServices, knock, redisBinary, TestRedis } from "@drover/testkit";
import { Metadata, status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { ROOT, TestCluster } from "../e2e/test-cluster.ts";

const binary = redisBinary();
if (binary === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

type Finding = Readonly<{ subject: string; check: string; state: string; found: string }>;
type Diagnosis = Readonly<{ status: number; findings: readonly Finding[] }>;

/** Runs `drover doctor --json` as a user would; its exit status is that of the page. */
function doctor(...flags: string[]): Promise<Diagnosis> {
  const argv = ["--conditions=@drover/source", "apps/drover/src/main.ts", "doctor", "--json", ...flags];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, argv, { cwd: ROOT }, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code);
      if (stdout === "") reject(new Error(stderr));
      else {
        const diagnosis = JSON.parse(stdout) as Diagnosis;
        expect(status).toBe(diagnosis.status);
        resolve(diagnosis);
      }
    });
  });
}

const failures = ({ findings }: Diagnosis) =>
  findings.filter(({ state }) => state === "fail").map(({ subject, check }) => `${subject}: ${check}`);

test("a shard that was cut short is found, and a whole model is not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-doctor-"));
  try {
    await cp(join(ROOT, "models/nano"), folder, { recursive: true });
    expect(failures(await doctor("--model", folder))).toEqual([]);
    await truncate(join(folder, "model-00002-of-00002.safetensors"), 100_000);
    const diagnosis = await doctor("--model", folder);
    expect(failures(diagnosis)).toEqual(["model: files"]);
    expect(diagnosis.findings.find(({ state }) => state === "fail")?.found).toContain(
      "model-00002-of-00002.safetensors",
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.skipIf(binary === undefined)(
  "a Redis that drops jobs is found, one that is away, and a scheduler that nobody answers for (needs redis-server or valkey-server)",
  async () => {
    await using redis = new TestRedis(binary ?? "", await freePort());
    await redis.start();
    expect(failures(await doctor("--redis", redis.url))).toEqual([]);
    const client = openRedis(redis.url, { producer: false });
    await client.config("SET", "maxmemory-policy", "allkeys-lru");
    client.disconnect();
    expect(failures(await doctor("--redis", redis.url))).toEqual(["redis: maxmemory-policy"]);
    const port = await freePort();
    const away = await doctor("--redis", `redis://127.0.0.1:${port}`, "--scheduler", `127.0.0.1:${port}`);
    expect(failures(away)).toEqual(["redis: reachable", `scheduler 127.0.0.1:${port}: reachable`]);
  },
);

test("a cluster that serves has nothing wrong, every peer of it is asked, and a taken port is found; strangers are answered nowhere", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-doctor-"));
  const secret = join(folder, "secret");
  await writeFile(secret, "a-secret-of-this-test-alone\n");
  await using cluster = await TestCluster.start({
    expertWorkers: 2,
    flags: ["--context-workers", "1", "--cluster-secret-file", secret],
  });
  const asked = ["--url", cluster.url, "--ports", String(cluster.httpPort)];
  const diagnosis = await doctor(...asked, "--cluster-secret-file", secret);
  const protocols = ({ findings }: Diagnosis) =>
    findings.filter(({ check }) => check === "protocol").map(({ found }) => found);
  expect(new Set(protocols(diagnosis))).toEqual(new Set(["agrees with this build's"]));
  const stranger = await doctor(...asked);
  expect(failures(stranger)).toEqual(["machine: port"]);
  expect(protocols(stranger).every((found) => found.startsWith("not asked: only members"))).toBe(true);
  expect(failures(diagnosis)).toEqual(["machine: port"]);
  const reached = diagnosis.findings.filter(({ check, state }) => check === "reachable" && state === "ok");
  expect(reached.map(({ subject }) => subject).sort()).toEqual([
    "worker attention-0",
    "worker context-0",
    "worker experts-0",
    "worker experts-1",
  ]);
  const listening = [...cluster.output.matchAll(/^ +(?:scheduler|attention-0|context-0|experts-\d) .*grpc (\S+)/gm)];
  const addresses = listening.flatMap(([, address]) => address ?? []);
  expect(addresses).toHaveLength(5);
  for (const address of addresses)
    for (const method of internalServices().flatMap(({ methods }) => methods)) {
      const { code, replies } = await knock(address, method, new Metadata());
      // What a process does not serve, it says to everybody.
      expect([status.UNAUTHENTICATED, status.UNIMPLEMENTED]).toContain(code);
      expect(replies).toBe(0);
    }
  const admin = [
    ...cluster.output.matchAll(/^ +(?:router|scheduler|attention-0|context-0|experts-\d) .*admin (\S+)/gm),
  ];
  expect(admin).toHaveLength(6);
  const forMembers = ["GET /debug/worker", "GET /debug/cluster", "POST /drain?worker=attention-0"];
  for (const [, address] of admin)
    for (const [method = "", path] of forMembers.map((asked) => asked.split(" ")))
      expect((await fetch(`http://${address}${path}`, { method })).status).toBe(401);
  expect((await cluster.askMember("attention-0", "GET /debug/worker")).status).toBe(200);
  await rm(folder, { recursive: true });
});
