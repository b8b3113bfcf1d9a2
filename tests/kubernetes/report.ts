import { writeFileSync } from "node:fs";
import { HEAL_MS_MAX } from "./limits.ts";
import type { StepResult } from "./steps.ts";

export type Facts = Readonly<{ kubernetes: string; node: string; cpuCount: number }>;

/** Writes the page of the last run: what was done, whether it passed, how long it took, and what was seen. */
export function writeReport(file: string, results: readonly StepResult[], { kubernetes, node, cpuCount }: Facts): void {
  const failedCount = results.filter(({ passed }) => !passed).length;
  const rows = results.map(
    ({ name, seconds, passed, finding }) =>
      `| ${name} | ${passed ? "passed" : "**failed**"} | ${seconds.toFixed(1)} | ${finding.replaceAll("|", "\\|").replaceAll("\n", " ")} |`,
  );
  writeFileSync(
    file,
    `# Kubernetes: the last run

Written by \`npm run kubernetes -- --bed FOLDER\`, which needs root and the programs of a test bed: a single node with kubelet, containerd, runc and
kube-proxy, then a control plane with made-up nodes of eight GPUs. Kubernetes ${kubernetes}, Node ${node} in the image, ${cpuCount} CPUs shared with other
work; nothing is pulled from a registry, and NetworkPolicies are not enforced there.

The column of seconds is the whole step's; what was seen counts from the blow on, and both the right answer and every pod's readiness must come
within ${HEAL_MS_MAX / 1000} s. A prompt counts as answered only by the one right answer, and a wrong one fails the step at once. ${failedCount === 0 ? `All ${results.length} steps passed.` : `${failedCount} of ${results.length} steps failed.`}

| step | | seconds | seen |
|---|---|---|---|
${rows.join("\n")}
`,
  );
}
