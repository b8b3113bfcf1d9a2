import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type PeerCertificate } from "node:tls";
import { openRedis } from "@drover/queue";
import { type CertificateTexts, makeCertificates } from "@drover/rpc";
import { freePort, internalServices, knock, PATIENCE_MS, redisBinary, speaksTls, TestRedis } from "@drover/testkit";
import { Metadata, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesHold, keysThatHold, spellings } from "./kept-text.ts";
import { TestCluster } from "./test-cluster.ts";

const binary = redisBinary();
const isAble = binary !== undefined && speaksTls(binary);
if (!isAble && process.env.CI) throw new Error("these tests need a redis-server or valkey-server that speaks TLS");
if (!isAble) console.warn("no redis-server or valkey-server that speaks TLS: its tests are left out");

const PASSWORD = "correct-horse-battery";
const KEPT_S = 3;
const LONGEST_KEPT_MS = 3_600_000;
/** What no other text of the cluster has in it, and more than a word: its ids have no other use. */
const SECRET = "zephyr whistle island vesuvius quartz tambourine";
const make = (...names: string[]) => makeCertificates({ names, nowMs: Date.now(), validMs: 86_400_000 });

/** Writes a certificate as `drover certificates` does, and says where. */
function written(folder: string, { certificate, key, ca = "" }: CertificateTexts) {
  const files = { certificate: join(folder, "tls.crt"), key: join(folder, "tls.key"), ca: join(folder, "ca.crt") };
  writeFileSync(files.ca, ca);
  writeFileSync(files.certificate, certificate);
  writeFileSync(files.key, key);
  return files;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > limit) throw new Error(`${what} did not come to be`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Whom somebody with this certificate, or without one, finds at a port; undefined where the other side hangs up. */
function shake(address: string, own?: CertificateTexts): Promise<PeerCertificate | undefined> {
  const [host = "", port] = address.split(":");
  return new Promise((resolve) => {
    const identity = own === undefined ? {} : { cert: own.certificate, key: own.key };
    const socket = connect({ host, port: Number(port), ALPNProtocols: ["h2"], rejectUnauthorized: false, ...identity });
    const peer = () => socket.getPeerCertificate();
    const end = (found: PeerCertificate | undefined) => {
      resolve(found);
      socket.destroy();
    };
    // A server speaks first in HTTP/2: who hears its settings has been let in.
    socket.once("data", () => end(peer()));
    socket.once("error", () => end(undefined)).once("close", () => end(undefined));
  });
}

describe.skipIf(!isAble)(
  "a Redis with a password over TLS, and processes with certificates (needs Redis with TLS)",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "drover-tls-"));
    const one = make("drover.internal");
    let redis: TestRedis;
    let cluster: TestCluster;

    beforeAll(async () => {
      const redisFiles = written(mkdtempSync(join(folder, "redis-")), make("127.0.0.1"));
      const tls = { port: await freePort(), ...redisFiles };
      redis = new TestRedis(binary ?? "", await freePort(), "127.0.0.1", PASSWORD, tls);
      await redis.start();
      written(folder, one);
      cluster = await TestCluster.start({
        queue: "redis",
        expertWorkers: 1,
        env: { REDIS_URL: redis.tlsUrl, NODE_EXTRA_CA_CERTS: redisFiles.ca },
        flags: ["--verbose", "--cluster-tls", folder, "--keep-responses", `${KEPT_S}s`, "--keep-files", `${KEPT_S}s`],
      });
    });
    afterAll(async () => {
      await cluster?.[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    });

    const ask = async (content = "What is the capital of France?") => {
      const messages = [{ role: "user", content }];
      const response = await cluster.post("/v1/chat/completions", { model: "nano", messages, temperature: 0 });
      return response.text();
    };
    const ports = () =>
      [...cluster.output.matchAll(/^ +(?:scheduler|attention-0|experts-\d) .*grpc (\S+)/gm)].map(
        ([, port = ""]) => port,
      );

    test("answers, survives the restart of its Redis, and the password is in no output, page or command line", async () => {
      expect(await ask()).toMatch(/Paris/);
      await redis.stop();
      const meanwhile = ask();
      await redis.start();
      expect(await meanwhile).toMatch(/Paris/);
      const pages = ["/metrics", "/debug/cluster", "/ready"].map(async (path) =>
        (await fetch(cluster.url + path)).text(),
      );
      for (const text of [cluster.output, ...(await Promise.all(pages))]) expect(text).not.toContain(PASSWORD);
      expect(cluster.pids("main.ts")).not.toEqual([]);
      expect(cluster.pids(PASSWORD)).toEqual([]);
    });

    test("prompts are in Redis while they wait and where something is kept for a time, and nowhere after it", async () => {
      const told = await cluster.post("/tokenize", { model: "nano", prompt: ` ${SECRET}`, add_special_tokens: false });
      const { tokens } = (await told.json()) as { tokens: number[] };
      const needles = spellings(SECRET, tokens);
      const client = openRedis(redis.url, { producer: false });
      // Values as they are, so that files can be searched.
      for (const setting of ["aof-use-rdb-preamble", "rdbcompression"]) await client.config("SET", setting, "no");
      const asked = `Count the words: ${SECRET}`;
      const input = { model: "nano", messages: [{ role: "user", content: asked }], max_tokens: 4 };

      // While it waits.
      const [scheduler = 0] = cluster.pids("scheduler/src/main.ts");
      process.kill(scheduler, "SIGSTOP");
      const waiting = ask(asked);
      await until("a waiting prompt", async () => (await keysThatHold(client, needles)).length > 0);
      process.kill(scheduler, "SIGCONT");
      await waiting;
      expect(await keysThatHold(client, needles)).toEqual([]);

      // Where it is kept for a time.
      expect((await cluster.post("/v1/responses", { model: "nano", input: asked, max_output_tokens: 4 })).ok).toBe(
        true,
      );
      const headers = { "content-type": "application/json", "idempotency-key": "key-of-a-client" };
      const keyed = await fetch(`${cluster.url}/v1/chat/completions`, {
        method: "POST",
        headers,
        body: JSON.stringify(input),
      });
      expect(keyed.ok).toBe(true);
      const line = JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/chat/completions", body: input });
      const form = new FormData();
      form.append("purpose", "batch");
      form.append("file", new Blob([line]), "requests.jsonl");
      expect((await fetch(`${cluster.url}/v1/files`, { method: "POST", body: form })).ok).toBe(true);
      const kept = await keysThatHold(client, needles);
      expect(kept.length).toBeGreaterThanOrEqual(2);
      for (const key of await client.keys("drover:*:payload:*")) {
        const left = await client.pttl(key);
        expect(left === -2 || (left > 0 && left <= LONGEST_KEPT_MS)).toBe(true);
        expect(key).not.toContain("key-of-a-client");
      }

      // Past that time, and in Redis's own files once they are written anew.
      await until("the end of what is kept", async () => (await keysThatHold(client, needles)).length === 0);
      expect(await filesHold(redis.directory, needles)).toBe(true);
      // What is past its time and was not taken out yet would be written once more.
      await until("the file's rewrite", async () => {
        if (/aof_rewrite_in_progress:1/.test(await client.info("persistence"))) return false;
        if (!(await filesHold(redis.directory, needles))) return true;
        await client.bgrewriteaof();
        return false;
      });
      client.disconnect();
    });

    test("a stranger without a certificate gets nothing at any port, and who has one is let in", async () => {
      expect(ports()).toHaveLength(3);
      for (const address of ports()) {
        for (const method of internalServices().flatMap(({ methods }) => methods)) {
          const { code, replies } = await knock(address, method, new Metadata());
          expect([code, replies]).toEqual([status.UNAVAILABLE, 0]);
        }
        expect(await shake(address)).toBeUndefined();
        expect(await shake(address, make("drover.internal"))).toBeUndefined();
        expect(await shake(address, one)).toMatchObject({ subjectaltname: expect.stringContaining("drover.internal") });
      }
    });

    test("certificates and their authority are replaced while it serves, and a worker that comes back uses the new ones", async () => {
      const next = make("drover.internal");
      const before = cluster.pids("main.ts");
      const both = `${one.ca}${next.ca}`;
      expect(await shake(ports()[0] ?? "", next)).toBeUndefined();
      written(folder, { ...next, ca: both });
      const { fingerprint256 } = new X509Certificate(next.certificate);
      for (const address of ports())
        await until("the new certificate", async () => (await shake(address, next))?.fingerprint256 === fingerprint256);
      expect(cluster.pids("main.ts")).toEqual(before);
      for (const pid of cluster.pids("--roles=experts")) process.kill(pid, "SIGKILL");
      expect(await ask()).toMatch(/Paris/);
    });
  },
);
