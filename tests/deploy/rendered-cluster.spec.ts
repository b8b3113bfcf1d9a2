import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "@drover/testkit";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assembleImage } from "../../scripts/image/assemble.ts";
import { CHART, renderChart } from "./chart.ts";
import { policiesOf } from "./cluster/network-policies.ts";
import { type KubernetesObject, readObjects } from "./cluster/objects.ts";
import { flowsOf, policyFindings } from "./cluster/policy-findings.ts";
import { policyPlants } from "./cluster/policy-plants.ts";
import { RenderedCluster } from "./cluster/rendered-cluster.ts";
import { canRunPods, hasDeployTools, NEEDED, REPOSITORY } from "./tools.ts";

const allowed = canRunPods();
if (process.env.CI && !allowed) throw new Error("CI must be allowed to make namespaces and mounts, and have Redis");

const SAMPLE_MS = 100;
const NANO = join(CHART, "values-nano.yaml");
const ALL_ROLES = "tests/deploy/testdata/all-roles.yaml";
const PROMPT = "What is the capital of France?";
const ANSWER = "The capital of France is Paris.";
const AS_MEMBER = ["--cluster-secret-file", "/etc/drover-cluster/cluster-secret"];
const KEY = "a-key-of-this-test";
const SECRET = {
  kind: "Secret",
  metadata: { name: "drover-api-keys" },
  stringData: { "api-keys": `${KEY}\n` },
} satisfies KubernetesObject;

/** What the Job of the manifest makes. */
const CLUSTER_SECRET = {
  kind: "Secret",
  metadata: { name: "drover-cluster" },
  stringData: { "cluster-secret": "a-secret-of-this-test-alone" },
} satisfies KubernetesObject;

/** What a right cluster takes: a wrong one gets twice the time, and is not ready then. */
let readyMs = PATIENCE_MS / 2;

const scratch = mkdtempSync(join(tmpdir(), "drover-image-"));
const image = join(scratch, "image");
beforeAll(() => {
  if (hasDeployTools && allowed) assembleImage(REPOSITORY, image);
});
afterAll(() => rmSync(scratch, { recursive: true }));

async function post(cluster: RenderedCluster, path: string, body: unknown, key?: string): Promise<string> {
  const url = `http://${cluster.pod("router").address}:8080${path}`;
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = { "content-type": "application/json", ...authorization };
  const ask = { kind: "http", url, headers, body: JSON.stringify(body), timeoutMs: PATIENCE_MS } as const;
  const { status, text } = await cluster.node.ask(ask);
  return `${status} ${text}`;
}

const asked = (content: unknown) => ({
  model: "nano",
  messages: [{ role: "user", content }],
  temperature: 0,
  max_tokens: 24,
});

describe.skipIf(!hasDeployTools || !allowed)(`pods as rendered (${NEEDED}, and root)`, () => {
  test("deploy/kubernetes.yaml alone gives a cluster whose probes succeed, and it answers over HTTP and gRPC", async () => {
    const manifest = readFileSync(join(REPOSITORY, "deploy/kubernetes.yaml"), "utf8");
    await using cluster = await RenderedCluster.start(manifest, image, [CLUSTER_SECRET]);
    const begin = Date.now();
    await cluster.ready(PATIENCE_MS);
    readyMs = Date.now() - begin;
    expect(await post(cluster, "/v1/chat/completions", asked(PROMPT))).toMatch(new RegExp(`^200 .*${ANSWER}`));
    const address = `${cluster.pod("router").address}:50051`;
    const chat = await cluster.node.ask({ kind: "chat", address, model: "nano", prompt: PROMPT });
    expect(chat.text).toBe(ANSWER);
    cluster.check();
  });

  test("with every role and API keys it answers, and policies allow exactly what its processes open to each other", async () => {
    const rendered = await renderChart({ values: [NANO, ALL_ROLES] });
    await using cluster = await RenderedCluster.start(rendered, image, [SECRET, CLUSTER_SECRET]);
    await cluster.ready(PATIENCE_MS);
    expect(await post(cluster, "/v1/chat/completions", asked(PROMPT))).toMatch(/^401 /);

    const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const url = `data:image/png;base64,${picture.toString("base64")}`;
    const seen = [
      { type: "image_url", image_url: { url } },
      { type: "text", text: "What colour is this?" },
    ];
    const long = { model: "nano", prompt: Array.from({ length: 4000 }, (_, i) => (i * 7919) % 3000), max_tokens: 4 };
    const load = Promise.all([
      post(cluster, "/v1/chat/completions", asked(PROMPT), KEY),
      post(cluster, "/v1/chat/completions", asked(seen), KEY),
      post(cluster, "/v1/completions", { ...long, ignore_eos: true }, KEY),
    ]);
    const flows = new Set<string>();
    const sample = () => {
      for (const flow of flowsOf(cluster.sockets())) flows.add(flow);
    };
    for (let isOver = false; !isOver; sample())
      isOver = await Promise.race([load.then(() => true), sleep(SAMPLE_MS, false)]);
    const [answer, ...others] = await load;
    expect(answer).toContain(ANSWER);
    for (const one of others) expect(one, cluster.output).toMatch(/^200 /);
    const { address } = cluster.pod("router");
    const chat = await cluster.node.ask({
      kind: "chat",
      address: `${address}:50051`,
      model: "nano",
      prompt: PROMPT,
      key: KEY,
    });
    expect(chat.text).toBe(ANSWER);

    // As an operator would, at each of the schedulers: one of them leads, and the other asks it.
    const drain = ["node", "/app/bin/drover.js", "drain", "drover-experts-0", "--undo", ...AS_MEMBER];
    for (const pod of cluster.pods.filter(({ component }) => component === "scheduler"))
      expect(await cluster.exec(pod, drain), pod.name).toBe(true);
    sample();

    const seenSockets = cluster.sockets();
    const policies = policiesOf(readObjects(rendered));
    process.stdout.write(`${[...flows].sort().join("\n")}\n`);
    expect(policyFindings(policies, seenSockets, flows)).toEqual([]);
    const plants = [...policyPlants(policies)];
    expect(plants.length).toBeGreaterThan(50);
    for (const { name, planted } of plants) expect(policyFindings(planted, seenSockets, flows), name).not.toEqual([]);
    cluster.check();
  });

  test.each([
    ["a flag that no process has", "--listen=0.0.0.0", "--listens=0.0.0.0"],
    ["a Redis setting that Redis does not know", "- noeviction", "- noevictions"],
  ])("%s in the manifests is found", async (_, right, wrong) => {
    const manifest = readFileSync(join(REPOSITORY, "deploy/kubernetes.yaml"), "utf8");
    expect(manifest).toContain(right);
    await using cluster = await RenderedCluster.start(manifest.replaceAll(right, wrong), image, [CLUSTER_SECRET]);
    await expect(cluster.ready(2 * readyMs)).rejects.toThrow(/not ready|has ended|did not start/);
  });
});
