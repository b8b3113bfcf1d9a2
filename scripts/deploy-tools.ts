import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCrdSchemas } from "./deploy-tools/crd-schemas.ts";
import { buildGoTools } from "./deploy-tools/go-tools.ts";
import { writeKubernetesSchemas } from "./deploy-tools/kubernetes-schemas.ts";
import { repository } from "./gates/gate.ts";

/**
 * npm run deploy-tools: what tests/deploy checks the chart with, in .toolchain/deploy: `bin/` with helm, kubeconform and helm-unittest, built
 * from Go modules that go.sum pins, and `schemas/` with those of each supported Kubernetes and of the custom resources. Does what is
 * missing or out of date, says how long it took, and ends with 1 and the reason where it cannot.
 */
const folder = join(repository, ".toolchain", "deploy");

const source = (name: string): string => readFileSync(join(import.meta.dirname, "deploy-tools", name), "utf8");
const steps: readonly Step[] = [
  { name: "helm, kubeconform, helm-unittest", of: ["go.mod", "go.sum", "go-tools.ts"], run: buildGoTools },
  { name: "schemas of Kubernetes", of: ["versions.ts", "kubernetes-schemas.ts"], run: writeKubernetesSchemas },
  { name: "schemas of custom resources", of: ["versions.ts", "crd-schemas.ts"], run: writeCrdSchemas },
];

type Step = Readonly<{
  name: string;
  /** The files that decide the outcome: where they are as they were, there is nothing to do. */
  of: readonly string[];
  run(folder: string, scratch: string): Promise<void>;
}>;

const failures: string[] = [];
for (const [i, step] of steps.entries()) {
  const stampFile = join(folder, `installed-${i}`);
  const stamp = createHash("sha256")
    .update(JSON.stringify(step.of.map(source)))
    .digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) continue;
  const begin = Date.now();
  const scratch = mkdtempSync(join(tmpdir(), "drover-deploy-tools-"));
  try {
    mkdirSync(folder, { recursive: true });
    await step.run(folder, scratch);
    writeFileSync(stampFile, stamp);
    process.stdout.write(`${step.name}: ${Math.round((Date.now() - begin) / 1000)} s\n`);
  } catch (error) {
    failures.push(`${step.name}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
for (const failure of failures) process.stderr.write(`${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
