import { attentionChecks } from "./attention-check.ts";
import { chooseChecks } from "./choose-check.ts";
import { drawChecks } from "./draw-check.ts";
import type { KernelCheck } from "./kernel-check.ts";
import { linearChecks } from "./linear-check.ts";
import { routeChecks } from "./route-check.ts";
import { rowChecks } from "./row-checks.ts";
import { sourceChecks } from "./source-check.ts";
import { visionChecks } from "./vision-check.ts";

/** Every kernel beside its reference. */
export const kernelChecks: readonly KernelCheck[] = [
  ...sourceChecks,
  ...linearChecks,
  ...rowChecks,
  ...routeChecks,
  ...drawChecks,
  ...chooseChecks,
  ...attentionChecks,
  ...visionChecks,
];
