import { parseConfig } from "@drover/process";
import { describe, expect, test } from "vitest";
import { upSpec } from "./up-config.ts";
import { upWorkers } from "./up-workers.ts";

const read = async (argv: readonly string[], cards = 2) =>
  upWorkers(parseConfig(upSpec, { argv, env: {} }), async () => cards);

describe("the workers of a cluster on one machine", () => {
  test("on CPUs experts have workers of their own, on a card attention has them", async () => {
    expect(await read([])).toMatchObject({ attentionWorkers: 1, expertWorkers: 4 });
    const onCard = await read(["--device", "cuda:1"]);
    expect(onCard).toMatchObject({ attentionWorkers: 1, expertWorkers: 0 });
    expect(onCard.deviceOf(0)).toBe("cuda:1");
  });

  test("each card has an attention worker, all of them or as many as are named", async () => {
    const all = await read(["--gpus", "all"], 3);
    expect(all).toMatchObject({ attentionWorkers: 3, expertWorkers: 0 });
    expect([0, 1, 2].map(all.deviceOf)).toEqual(["cuda:0", "cuda:1", "cuda:2"]);
    expect(await read(["--gpus", "1"])).toMatchObject({ attentionWorkers: 1 });
  });

  test("expert workers compute with what attention does, on the cards in turn, or with what is said", async () => {
    const devices = async (...argv: string[]) => [0, 1, 2].map((await read(argv)).expertDeviceOf);
    expect(await devices()).toEqual([undefined, undefined, undefined]);
    expect(await devices("--device", "cuda:1")).toEqual(["cuda:1", "cuda:1", "cuda:1"]);
    expect(await devices("--gpus", "2", "--expert-workers", "3")).toEqual(["cuda:0", "cuda:1", "cuda:0"]);
    expect(await devices("--expert-device", "cuda:1")).toEqual(["cuda:1", "cuda:1", "cuda:1"]);
  });

  test("context workers keep their parts where it is said, or on the cards in turn", async () => {
    const devices = async (...argv: string[]) => [0, 1, 2].map((await read(argv)).contextDeviceOf);
    expect(await devices("--gpus", "2")).toEqual(["cpu", "cpu", "cpu"]);
    expect(await devices("--context-device", "cuda:1")).toEqual(["cuda:1", "cuda:1", "cuda:1"]);
    expect(await devices("--gpus", "2", "--context-device", "all")).toEqual(["cuda:0", "cuda:1", "cuda:0"]);
    await expect(read(["--context-device", "all"])).rejects.toMatchObject({ field: "context_device" });
  });

  test("cards that are not there are refused with the flag", async () => {
    await expect(read(["--gpus", "3"])).rejects.toMatchObject({ code: "invalid_argument", field: "gpus" });
    await expect(read(["--gpus", "some"])).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(read(["--gpus", "all"], 0)).rejects.toMatchObject({ code: "unavailable" });
    await expect(read(["--gpus", "1", "--device", "cpu"])).rejects.toMatchObject({ field: "device" });
    await expect(read(["--gpus", "1", "--attention-workers", "2"])).rejects.toMatchObject({ code: "invalid_argument" });
  });
});
