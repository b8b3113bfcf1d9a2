import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { PROFILES, profilePath, renderChart } from "./chart.ts";
import { ChartCopy } from "./chart-copy.ts";
import { type Container, readObjects } from "./cluster/objects.ts";
import { podsOf } from "./cluster/pods.ts";
import { hasDeployTools, NEEDED, REPOSITORY } from "./tools.ts";

type PlannedWorker = Readonly<{
  first: number;
  last: number;
  isAttention: boolean;
  hasVision: boolean;
  expertCount: number;
  residentBytes: number;
  expertBytes: number;
  visionBytes: number;
  freeBytes: number;
}>;
type Plan = Readonly<{
  fits: boolean;
  workers: readonly PlannedWorker[];
  context: Readonly<{ requestCount: number; kv: Readonly<{ totalBytes: number }> }>;
}>;
type Profile = Readonly<{ plan?: Readonly<{ config: string; args: readonly string[] }> }>;

/** A worker by all that a profile says of it. */
type WorkerFacts = Readonly<{
  roles: string;
  gpus: number;
  memory: string;
  kvMemory: string | undefined;
  quantize: string | undefined;
  quantizeBlock: string | undefined;
  kvDtype: string | undefined;
  expertMemory: string | undefined;
  prefillChunk: string | undefined;
}>;

const GIB = 2 ** 30;
/** What a process takes beside its card: Node, the runtime, buffers from which weights go to the card, and the vision encoder. */
const PROCESS_GIB = 16;
/** A card keeps scales of its own beside an expert's numbers. */
const EXPERT_SHARE = 1.02;
/** What a worker computes at once where nothing is said. */
const PREFILL_CHUNK = "512";

const profiles = PROFILES.map((name) => {
  const { plan }: Profile = parse(readFileSync(join(REPOSITORY, profilePath(name)), "utf8"));
  return { name, plan };
});
const planned = profiles.flatMap(({ name, plan }) => (plan === undefined ? [] : [{ name, plan }]));

async function planOf({ config, args }: NonNullable<Profile["plan"]>): Promise<Plan> {
  const main = ["--conditions=@drover/source", "apps/drover/src/main.ts", "plan", `tests/deploy/testdata/${config}`];
  const { stdout } = await promisify(execFile)(process.execPath, [...main, "--json", ...args], { cwd: REPOSITORY });
  return JSON.parse(stdout);
}

/** What the plan says that each worker is, in the order of the plan. */
function plannedFacts({ workers }: Plan, args: readonly string[]): readonly WorkerFacts[] {
  const flag = (name: string, otherwise?: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
  const isAlone = workers.length === 1 && workers[0]?.last === 1;
  return workers.flatMap((worker) => {
    const roles = [
      worker.isAttention ? ["attention"] : [],
      worker.expertCount > 0 ? ["experts"] : [],
      worker.hasVision ? ["vision"] : [],
    ].flat();
    // One that holds all of them needs no limit, and answers nobody else.
    const limitsExperts = worker.expertCount > 0 && !isAlone;
    const facts: WorkerFacts = {
      roles: roles.join(","),
      gpus: 1,
      memory: `${PROCESS_GIB}Gi`,
      kvMemory: worker.isAttention ? "auto" : undefined,
      quantize: flag("--quantize"),
      quantizeBlock: flag("--quantize") && flag("--quantize-block", "128"),
      kvDtype: worker.isAttention ? flag("--kv-dtype") : undefined,
      expertMemory: limitsExperts ? `${Math.ceil((EXPERT_SHARE * worker.expertBytes) / GIB)}GiB` : undefined,
      prefillChunk: worker.isAttention ? flag("--prefill-chunk", PREFILL_CHUNK) : undefined,
    };
    return Array.from({ length: worker.last - worker.first + 1 }, () => facts);
  });
}

type Resources = Readonly<Record<"requests" | "limits", Readonly<Record<string, string | number>>>>;

/** What the rendered manifests say that each worker is. */
function renderedFacts(rendered: string): readonly WorkerFacts[] {
  const containers = podsOf(readObjects(rendered), String).flatMap(({ spec }) => spec.containers);
  return containers
    .filter(({ args }) => args?.[0] === "worker")
    .map((container): WorkerFacts => {
      const { resources, args = [] } = container as Container & { resources: Resources };
      const flag = (name: string) => args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
      const { requests, limits } = resources;
      expect(requests["nvidia.com/gpu"]).toBe(limits["nvidia.com/gpu"]);
      expect(requests.memory).toBe(limits.memory);
      return {
        roles: flag("--roles") ?? "",
        gpus: Number(limits["nvidia.com/gpu"] ?? 0),
        memory: String(limits.memory),
        kvMemory: flag("--kv-memory"),
        quantize: flag("--quantize"),
        quantizeBlock: flag("--quantize-block"),
        kvDtype: flag("--kv-dtype"),
        expertMemory: flag("--expert-memory"),
        prefillChunk: flag("--prefill-chunk"),
      };
    });
}

const sorted = (facts: readonly WorkerFacts[]) => facts.map((one) => JSON.stringify(one)).sort();

describe.skipIf(!hasDeployTools)(`the GPU profiles (${NEEDED})`, () => {
  test("are all of them computed but for the laptop's", () => {
    expect(profiles.filter(({ plan }) => plan === undefined).map(({ name }) => name)).toEqual(["values-nano.yaml"]);
    expect(planned.length).toBe(6);
  });

  test.each(planned)("$name is what drover plan says, worker by worker", async ({ name, plan: { config, args } }) => {
    const plan = await planOf({ config, args });
    const expected = plannedFacts(plan, args);
    const rendered = renderedFacts(await renderChart({ values: [profilePath(name)] }));
    expect(sorted(rendered)).toEqual(sorted(expected));
    expect(plan.fits).toBe(true);
    // One request of the profile's context fits what is left of an attention worker's card.
    const attention = plan.workers.filter(({ isAttention }) => isAttention);
    for (const { freeBytes } of attention) expect(plan.context.kv.totalBytes).toBeLessThanOrEqual(freeBytes);
  });

  test.each(planned)("$name has the command that made it among its comments", ({ name, plan: { args } }) => {
    const text = readFileSync(join(REPOSITORY, profilePath(name)), "utf8");
    expect(text).toContain(`# bin/drover plan CHECKPOINT ${args.join(" ")}\n`.replace("# ", "#   "));
  });

  test("an edit of either side is found", async () => {
    const name = "values-maverick-8xh100.yaml";
    const profile = planned.find((one) => one.name === name);
    if (profile === undefined) throw new Error(`${name} is gone`);
    const expected = sorted(plannedFacts(await planOf(profile.plan), profile.plan.args));
    const edits = [
      ["kvMemory: auto", "kvMemory: 44GiB"],
      ["workersPerPod: 8", "workersPerPod: 7"],
      ["firstRoles: [attention, experts, vision]", "firstRoles: []"],
      ["gpus: 1", "gpus: 2"],
      ["memory: 16Gi", "memory: 15Gi"],
      ["expertMemory: 25GiB", "expertMemory: 24GiB"],
      ["quantize: int4", "quantize: int8"],
      ["kvDtype: f32", "kvDtype: f16"],
    ] as const;
    for (const [before, after] of edits) {
      using copy = new ChartCopy();
      copy.edit(name, (text) => text.replaceAll(before, after));
      const rendered = await renderChart({ chart: copy.folder, values: [copy.path(name)] });
      expect(sorted(renderedFacts(rendered)), after).not.toEqual(expected);
    }
    const { config, args } = profile.plan;
    const otherwise = { config, args: args.map((arg) => (arg === "int4" ? "int8" : arg)) };
    expect(sorted(plannedFacts(await planOf(otherwise), otherwise.args))).not.toEqual(expected);
  });
});
