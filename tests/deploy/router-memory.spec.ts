import { join } from "node:path";
import { parseConfig } from "@drover/process";
import type { RouterMemory } from "@drover/router";
import { describe, expect, test } from "vitest";
import { CHART, PROFILES, profilePath, renderChart } from "./chart.ts";
import { type Container, readObjects } from "./cluster/objects.ts";
import { hasDeployTools, NEEDED, REPOSITORY } from "./tools.ts";

type Amounts = Readonly<{ memory?: string }>;
type Sized = Container & Readonly<{ resources: Readonly<{ requests: Amounts; limits: Amounts }> }>;

/** The container of the rendered router. */
async function routerWith(values: readonly string[], set: readonly string[]): Promise<Sized> {
  const rendered = readObjects(await renderChart({ values, set }));
  const deployment = rendered.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "drover-router");
  const { template } = (deployment as unknown as { spec: { template: { spec: { containers: Sized[] } } } }).spec;
  const [container] = template.spec.containers;
  if (container === undefined) throw new Error(`${CHART} renders a router`);
  return container;
}

/** What the router itself reckons by its arguments, MiB. */
async function toldBy(args: readonly string[]): Promise<Readonly<{ rest: number; all: number }>> {
  const at = (file: string) => join(REPOSITORY, "apps/router/src", file);
  const { routerFlags } = await import(at("config.ts"));
  const { memoryOf } = await import(at("memory.ts"));
  const { restingBytes, totalBytes } = memoryOf(
    parseConfig(routerFlags, { argv: args.slice(1), env: {} }),
  ) as RouterMemory;
  return { rest: Math.ceil(restingBytes / 2 ** 20), all: Math.ceil(totalBytes / 2 ** 20) };
}

const SETS = [
  [],
  ["maxConnections=1001", "maxRequests=77", "memory.promptsMib=7", "memory.answersMib=33", "memory.maxBodyMib=5"],
];

describe.skipIf(!hasDeployTools)(`a router's memory in the chart (${NEEDED})`, () => {
  test.each([undefined, ...PROFILES])(
    "is what the router says that it may take by its arguments: %s",
    async (profile) => {
      for (const set of SETS) {
        const values = profile === undefined ? [] : [profilePath(profile)];
        const { args = [], resources } = await routerWith(
          values,
          set.map((one) => `router.${one}`),
        );
        const { rest, all } = await toldBy(args);
        expect([resources.requests.memory, resources.limits.memory]).toEqual([`${rest}Mi`, `${all}Mi`]);
      }
    },
  );

  test("is what its values say where they say it", async () => {
    const { resources } = await routerWith([], ["router.resources.limits.memory=9Gi"]);
    expect([resources.requests.memory, resources.limits.memory]).toEqual(["640Mi", "9Gi"]);
  });
});
