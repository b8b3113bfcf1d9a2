import { resolve } from "node:path";
import { DroverError, neverAborted } from "@drover/core";
import { commandConfig } from "@drover/process";
import { takeOperand } from "../operand.ts";
import { PLAN_USAGE, planSpec } from "./plan-config.ts";
import { planJson } from "./plan-json.ts";
import { planReport } from "./plan-report.ts";
import { readPlanSource } from "./plan-source.ts";
import { planTable } from "./plan-table.ts";

/**
 * `drover plan CHECKPOINT`: prints what fits, and ends with 0 where the asked context does and 1 where it does not.
 * Errors: `invalid_argument` naming the flag, or file, field and tensor.
 */
export async function runPlan(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { operand, flags } = takeOperand(argv, ["--json", "--no-json"]);
  const config = commandConfig(planSpec, { argv: flags, env, command: "drover plan", usage: PLAN_USAGE });
  if (operand === undefined)
    throw new DroverError("invalid_argument", "plan needs a checkpoint's folder: drover plan CHECKPOINT [flags].");
  const directory = resolve(operand);
  const report = planReport(directory, await readPlanSource(directory, neverAborted), config);
  process.stdout.write(config.json ? planJson(report) : planTable(report));
  return report.plan.fits ? 0 : 1;
}
