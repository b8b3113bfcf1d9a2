import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { prepareBases } from "./bases.ts";
import { Bed, type BedPlace } from "./bed.ts";
import { helmSteps, imageSteps, manifestSteps, type Paths } from "./node-steps.ts";
import { PROFILES, profileFits } from "./profiles.ts";
import { writeReport } from "./report.ts";
import { Steps } from "./steps.ts";

/**
 * npm run kubernetes -- --bed FOLDER [--scripts FOLDER] [--only manifest|helm|profiles]: all that Drover promises of Kubernetes, on a real
 * kubelet and on made-up nodes. Needs root. A whole run writes docs/kubernetes-results.md; logs of what failed go to dist/kubernetes-logs.
 */
const root = resolve(import.meta.dirname, "..", "..");
const { values } = parseArgs({
  options: { bed: { type: "string" }, scripts: { type: "string" }, only: { type: "string" } },
});
if (values.bed === undefined) {
  process.stderr.write(
    "Usage: npm run kubernetes -- --bed FOLDER [--scripts FOLDER] [--only manifest|helm|profiles]\n",
  );
  process.exit(2);
}
const place: BedPlace = {
  folder: resolve(values.bed),
  scripts: resolve(values.scripts ?? join(root, "..", "shared", "k8s")),
};
const chart = join(root, "helm", "drover");
const paths: Paths = {
  root,
  place,
  chart,
  manifest: join(root, "deploy", "kubernetes.yaml"),
  values: join(chart, "values-nano.yaml"),
};
const wanted = (part: string): boolean => values.only === undefined || values.only === part;

const ending = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => ending.abort());
const { signal } = ending;
const steps = new Steps();
const facts = { kubernetes: "", node: "", cpuCount: availableParallelism() };

/** One part on a bed of its own; what comes after a failed step is left out, other parts are not. */
async function part(mode: "node" | "fake", work: (bed: Bed) => Promise<void>): Promise<void> {
  try {
    let started: Bed | undefined;
    await steps.run(`bed up (${mode})`, async () => {
      started = await Bed.start(place, mode, signal);
      return undefined;
    });
    if (started === undefined) return;
    await using bed = started;
    const { serverVersion } = JSON.parse(await bed.kubectl("version", "-o", "json")) as {
      serverVersion: { gitVersion: string };
    };
    facts.kubernetes = serverVersion.gitVersion;
    try {
      await work(bed);
    } catch (error) {
      await bed.keepLogs(join(root, "dist", "kubernetes-logs", mode));
      throw error;
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}

if (wanted("manifest") || wanted("helm")) {
  facts.node = await prepareBases(place, signal);
  await part("node", async (bed) => {
    await imageSteps(bed, steps, paths, signal);
    if (wanted("manifest")) await manifestSteps(bed, steps, paths, signal);
    if (wanted("helm")) await helmSteps(bed, steps, paths, signal);
  });
}
if (wanted("profiles") && !signal.aborted) {
  await part("fake", async (bed) => {
    await bed.script("nodes.sh", ["2", "0", "cpu"]);
    for (const profile of PROFILES) {
      await steps.run(`${profile.name}: scheduled whole`, () => profileFits(bed, chart, profile, signal));
    }
  });
}
if (values.only === undefined && !signal.aborted) {
  writeReport(join(root, "docs", "kubernetes-results.md"), steps.results, facts);
}
if (steps.failedCount > 0) process.exitCode = 1;
