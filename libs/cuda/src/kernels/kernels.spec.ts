import { afterAll, describe, expect, test } from "vitest";
import { openCuda } from "../driver/open-cuda.ts";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { CheckedCard } from "./checks/checked-card.ts";
import { Random } from "./checks/kernel-check.ts";
import { kernelChecks } from "./checks/kernel-checks.ts";

describe.skipIf(!hasCpuCard)(
  "kernels compute what their references do (on a CPU in a card's place; needs g++)",
  async () => {
    if (!hasCpuCard) return;
    const card = new CheckedCard(await openCuda(0, cpuCardLibraries()), cpuCardKernels());
    afterAll(() => card.close());

    for (const { name, errorMax, run } of kernelChecks) {
      test(name, () => expect(run(card, new Random(7))).toBeLessThanOrEqual(errorMax));
    }
  },
);
