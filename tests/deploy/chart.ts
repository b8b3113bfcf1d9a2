import { readdirSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY, runTool } from "./tools.ts";

export const CHART = "helm/drover";

/** The chart's profiles: values-*.yaml. */
export const PROFILES = readdirSync(join(REPOSITORY, CHART))
  .filter((name) => /^values-.*\.yaml$/.test(name))
  .sort();

export const profilePath = (profile: string): string => join(CHART, profile);

export type RenderOptions = Readonly<{
  /** Values files, later ones win. */
  values: readonly string[];
  /** Of the cluster that it is rendered for; the newest when absent. */
  kubernetes?: string;
  set?: readonly string[];
  /** As if a cluster were there: then the pod of `helm test` is among the objects. */
  withTests?: boolean;
  chart?: string;
}>;

/** What `helm template drover` prints. Throws an Error with what helm says where it refuses. */
export async function renderChart({
  values,
  kubernetes,
  set = [],
  withTests = false,
  chart = CHART,
}: RenderOptions): Promise<string> {
  const args = ["template", "drover", chart, ...values.flatMap((file) => ["-f", file])];
  if (withTests) args.push("--api-versions", "v1/Pod");
  if (kubernetes !== undefined) args.push("--kube-version", `${kubernetes}.0`);
  for (const one of set) args.push("--set", one);
  const { ok, stdout, stderr } = await runTool("helm", args);
  if (!ok) throw new Error(stderr);
  return stdout;
}
