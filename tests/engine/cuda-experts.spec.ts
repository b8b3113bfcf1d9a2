import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { at, neverAborted, silentLogger, systemClock } from "@drover/core";
import { CardExperts, CudaRunner, CudaText, openCuda } from "@drover/cuda";
import { DistributedExchange, type ExpertPeer, LocalPeer } from "@drover/exchange";
import { servedModelSeed } from "@drover/kv";
import { ExpertSessions, openWeights } from "@drover/onnx";
import { StoredSequences } from "@drover/sequences";
import { openLocalEngine, tinyModel } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../../libs/cuda/src/testing/cpu-card.ts";
import { answersOf, expectAlike } from "./engine-answers.ts";

const KV_BYTES = 2 ** 22;

/** A peer that loses some calls after it has written a part of them. */
function losing(peer: ExpertPeer): ExpertPeer & { lostCount: number } {
  let calls = 0;
  return {
    workerId: peer.workerId,
    connected: true,
    isHere: false,
    lostCount: 0,
    async call(call) {
      if (calls++ % 5 !== 2) return peer.call(call);
      this.lostCount += 1;
      call.y_aD.fill(7, at(call.rows, 0) * call.width, at(call.rows, 0) * call.width + 3);
      return false;
    },
  };
}

describe.skipIf(!hasCpuCard)("a card whose experts are partly elsewhere (a CPU in its place; needs g++)", () => {
  test("answers as the CPU's does, with experts here, on another card and on a CPU, of which some calls are lost and which change hands", async () => {
    await using folder = await tinyModel(11);
    const config = await loadModelConfig(folder.path);
    await using checkpoint = await openCheckpoint(folder.path);
    const expected = await answersOf(await openLocalEngine(folder.path, { prefillRowsMax: 64 }));
    const cuda = await openCuda(0, cpuCardLibraries());
    const free = cuda.device.freeBytes;
    const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
    const { weights } = await openWeights(checkpoint, config, null, silentLogger, neverAborted);
    const held = { precision: "f32", cacheFolder: cpuCardKernels() } as const;
    const here = await CardExperts.open(cuda, config, source, held);
    const card = await CardExperts.open(cuda, config, source, held);
    using cpu = new ExpertSessions(config, weights, { threads: 1 });
    for (const layer of config.moeLayers) {
      await here.load(layer, 0);
      for (const expert of [1, 2]) await card.load(layer, expert);
      for (const expert of [2, 3]) await cpu.load(layer, expert);
    }
    const onCard = losing(new LocalPeer("card", card));
    const peers = [new LocalPeer("here", here), onCard, new LocalPeer("cpu", cpu)];
    const rows = { here: 0, away: 0 };
    const observer = { rowsRouted: (_l: number, _e: number, n: number) => (rows.away += n), rowsMissing: () => 0 };
    const exchange = new DistributedExchange(
      config.hiddenSize,
      (id) => peers.find(({ workerId }) => workerId === id),
      observer,
      async () => undefined,
      systemClock,
    );
    const holders = [["here"], ["card"], ["card", "cpu"], ["cpu"]];
    const layers = new Map(config.moeLayers.map((layer) => [layer, holders]));
    const loading = {
      precision: "f32",
      kv: "f32",
      kvBytesMax: KV_BYTES,
      rowsMax: 80,
      cacheFolder: cpuCardKernels(),
    } as const;
    const remote = {
      exchange,
      held: here.tables,
      bytesLeft: 0,
      rowsHere: (_layer: number, _expert: number, count: number) => {
        rows.here += count;
      },
      // No link is open: rows go by the process, and steps with rows of prompts are graphs all the same.
      direct: { map: () => ({ layers }), rowsAway: () => undefined, sent: () => undefined },
    };
    const text = await CudaText.load(cuda, config, source, { ...loading, remote });
    const runner = new CudaRunner(text);
    expect(runner.usable).toBe(false);
    exchange.update({ epoch: 1n, expertCount: config.expertCount, layers });
    expect(runner.usable).toBe(true);
    const sequences = new StoredSequences(text.geometry, text.store, {
      cache: { bytesMax: KV_BYTES, prefixCache: true },
      hashSeed: servedModelSeed("", ""),
      stripes: undefined,
    });
    const executor = { runner, sequences, geometry: text.geometry };
    const local = await openLocalEngine(folder.path, { prefillRowsMax: 20, executor });
    const answering = answersOf(local);
    // Meanwhile an expert of this card goes to another holder, and one of a CPU comes here.
    for (const layer of config.moeLayers) await Promise.all([here.load(layer, 3), cpu.load(layer, 0)]);
    const moved = [["cpu"], ["card"], ["card", "cpu"], ["here", "cpu"]];
    exchange.update({ epoch: 2n, expertCount: 4, layers: new Map(config.moeLayers.map((layer) => [layer, moved])) });
    for (const layer of config.moeLayers) here.unload(layer, 0);
    const found = await answering;
    expect(found.length).toBe(expected.length);
    for (const [i, answer] of found.entries()) expectAlike(answer, at(expected, i));
    expect(onCard.lostCount).toBeGreaterThan(3);
    expect(rows.here).toBeGreaterThan(0);
    expect(rows.away).toBeGreaterThan(0);
    runner[Symbol.dispose]();
    for (const experts of [here, card]) experts[Symbol.dispose]();
    expect(cuda.device.freeBytes).toBe(free);
    cuda.device.close();
  });
});
