import { DroverError } from "@drover/core";
import { parseConfig } from "@drover/process";
import { describe, expect, test } from "vitest";
import { checkDevices } from "./device-checks.ts";
import { upSpec } from "./up-config.ts";
import { upWorkers } from "./up-workers.ts";

/** Undefined: no driver. */
async function check(cardCount: number | undefined, ...argv: string[]): Promise<void> {
  const cards = async () => {
    if (cardCount === undefined) throw new DroverError("unavailable", "NVIDIA's driver cannot be loaded");
    return cardCount;
  };
  const config = parseConfig(upSpec, { argv, env: {} });
  await checkDevices(config, await upWorkers(config, cards), true, cards);
}

const refused = (message: RegExp) => ({ message: expect.stringMatching(message) });

describe("what a cluster is to compute with", () => {
  test("is not asked for where all is CPUs, nor for workers that there are none of", async () => {
    await check(undefined);
    await check(undefined, "--device", "auto");
    await check(undefined, "--context-device", "cuda:0", "--vision-device", "cuda:0", "--expert-workers", "0");
  });

  test.each([
    ["--device", []],
    ["--expert-device", []],
    ["--context-device", ["--context-workers", "1"]],
    ["--vision-device", ["--vision-workers", "1"]],
  ])("is refused by %s without a driver, and where there are fewer cards", async (flag, more) => {
    await expect(check(undefined, flag, "cuda:1", ...more)).rejects.toMatchObject(
      refused(new RegExp(`^${flag}: cuda:1: NVIDIA's driver`)),
    );
    await expect(check(1, flag, "cuda:1", ...more)).rejects.toMatchObject(
      refused(new RegExp(`^${flag}: there is no cuda:1; this machine has the cards cuda:0 to cuda:0`)),
    );
    await check(2, flag, "cuda:1", ...more);
  });

  test("is refused by --gpus without a driver", async () => {
    await expect(check(undefined, "--gpus", "all")).rejects.toMatchObject(refused(/^--gpus: NVIDIA's driver/));
  });

  test("must be able to compute and to keep what is asked for", async () => {
    await expect(check(undefined, "--precision", "f16")).rejects.toMatchObject(refused(/^--precision: a CPU/));
    await expect(check(undefined, "--device", "auto", "--precision", "f16")).rejects.toMatchObject(
      refused(/^--precision: a CPU/),
    );
    await expect(check(undefined, "--kv-dtype", "f16")).rejects.toMatchObject(refused(/^--kv-dtype: a CPU/));
    await expect(check(undefined, "--kv-memory", "auto")).rejects.toMatchObject(refused(/^--kv-memory: auto/));
    await expect(check(1, "--device", "cuda:0", "--kv-dtype", "int8")).rejects.toMatchObject(
      refused(/^--kv-dtype: a card/),
    );
    await expect(check(1, "--device", "cuda:0", "--kv-dtype", "f16", "--context-workers", "1")).rejects.toMatchObject(
      refused(/^--kv-dtype: a CPU/),
    );
    await check(1, "--device", "cuda:0", "--kv-memory", "auto", "--context-workers", "1");
    await check(1, "--device", "cuda:0", "--precision", "f16", "--vision-workers", "1");
  });
});
