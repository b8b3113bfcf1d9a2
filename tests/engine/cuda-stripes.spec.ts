import { loadModelConfig } from "@drover/checkpoint";
import { type ContextHolder, type ContextStorage, greedyParams, seededRandom } from "@drover/core";
import { CardContext, openCuda } from "@drover/cuda";
import { LocalContextHolder } from "@drover/exchange";
import { kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { drain, greedyTask, type LocalEngine, openLocalEngine, tinyModel } from "@drover/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../../libs/cuda/src/testing/cpu-card.ts";
import { cardEngine } from "./card-engine.ts";
import { prompt } from "./engine-answers.ts";

/** Above one segment of 1,024 rows. */
const LENGTH = 1100;

/** A holder in this process that can lose everything. */
class MortalHolder implements ContextHolder {
  readonly workerId: string;
  readonly connected = true;
  readonly draining = false;
  readonly transfer = undefined;
  life = 1;
  attendCount = 0;
  readonly #open: () => ContextStorage;
  #storage: ContextStorage;
  #holder: LocalContextHolder;

  constructor(workerId: string, open: () => ContextStorage) {
    this.workerId = workerId;
    this.#open = open;
    this.#storage = open();
    this.#holder = new LocalContextHolder(workerId, this.#storage);
  }

  get bytesFree(): number {
    return this.#storage.bytesFree;
  }

  get bytesMax(): number {
    return this.#storage.bytesMax;
  }

  put(...args: Parameters<ContextHolder["put"]>) {
    return this.#holder.put(...args);
  }

  attend(...args: Parameters<ContextHolder["attend"]>) {
    this.attendCount += 1;
    return this.#holder.attend(...args);
  }

  drop(sequenceId: string): void {
    this.#holder.drop(sequenceId);
  }

  die(): void {
    this.life += 1;
    this.#storage = this.#open();
    this.#holder = new LocalContextHolder(this.workerId, this.#storage);
  }
}

function place(local: LocalEngine, name: string, length: number): void {
  const task = greedyTask(name, prompt(length, 1), 6);
  const params = { ...greedyParams(6), topLogprobs: 0 };
  expect(local.engine.place({ ...task, params })).toBeUndefined();
}

/** Tokens and their log-probabilities to four digits. */
function answersOf(local: LocalEngine, name: string) {
  const tokens = local.events.flatMap(({ requestId, event }) =>
    requestId === name && event.kind === "token" ? [event] : [],
  );
  expect(tokens).toHaveLength(6);
  return tokens;
}

function expectSame(found: ReturnType<typeof answersOf>, expected: ReturnType<typeof answersOf>): void {
  expect(found.map(({ tokenId }) => tokenId)).toEqual(expected.map(({ tokenId }) => tokenId));
  for (const [i, { logprob }] of found.entries()) expect(logprob).toBeCloseTo(expected[i]?.logprob ?? Number.NaN, 4);
}

describe.skipIf(!hasCpuCard)(
  "old rows of a card's sequences with context workers (a CPU in its place; needs g++)",
  async () => {
    if (!hasCpuCard) return;
    const folder = await tinyModel(11);
    const cuda = await openCuda(0, cpuCardLibraries());
    const free = cuda.device.freeBytes;
    const config = await loadModelConfig(folder.path);
    const onCpu = () => new ContextStore(config, kvGeometry(config, "f32"), { threads: 1, bytesMax: 2 ** 26 });
    const kept = { kv: "f32", bytesMax: 2 ** 23, cacheFolder: cpuCardKernels() } as const;
    const opened: CardContext[] = [];
    const onCard = () => {
      const context = new CardContext(cuda, config, kvGeometry(config, "f32"), kept);
      opened.push(context);
      return context;
    };
    let holders = [new MortalHolder("a", onCpu)];
    const options = { prefillRowsMax: 64, stripes: { above: 1000, holders: () => holders } };
    const card = await cardEngine(cuda, folder.path, options);
    const plain = await openLocalEngine(folder.path, { prefillRowsMax: 64, prefixCache: false });
    for (const [name, length] of [
      ["long", LENGTH],
      ["short", 70],
    ] as const)
      place(plain, name, length);
    await drain(plain);
    afterAll(async () => {
      card[Symbol.dispose]();
      for (const context of opened) context[Symbol.dispose]();
      expect(cuda.device.freeBytes).toBe(free);
      cuda.device.close();
      await folder[Symbol.asyncDispose]();
    });

    test("answers are those of a CPU that has all rows, beside requests that have no old rows elsewhere", async () => {
      place(card.local, "long", LENGTH);
      place(card.local, "short", 70);
      await drain(card.local);
      for (const name of ["long", "short"]) expectSame(answersOf(card.local, name), answersOf(plain, name));
      expect(holders[0]?.attendCount).toBeGreaterThan(0);
      expect(card.sequences.kvUse.global.referenced).toBe(0);
    });

    test("what a holder on a card loses is computed again, and no token changes", async () => {
      card.local.events.length = 0;
      holders = [new MortalHolder("b", onCard)];
      place(card.local, "long", LENGTH);
      const before = holders[0]?.attendCount ?? 0;
      let died = false;
      while (card.local.engine.load().pendingTokenCount > 0) {
        await card.local.engine.step();
        if (died || holders[0]?.attendCount === before) continue;
        died = true;
        holders[0]?.die();
      }
      card.local.engine.flush();
      expect(died).toBe(true);
      expectSame(answersOf(card.local, "long"), answersOf(plain, "long"));
      expect(opened.map(({ segmentCount }) => segmentCount)).toEqual([1, 0]);
    });

    test("a card's segments are attended to as a CPU's, by several at once, and read back bit for bit", async () => {
      const stores = [onCpu(), onCard()] as const;
      const random = seededRandom(5);
      const floats = (count: number) => Float32Array.from({ length: count }, () => 4 * random() - 2);
      const { layerCount, rowBytes } = stores[0];
      const width = config.headCount * config.headDim;
      const segment = (sequenceId: string, index: number, rowCount: number) => {
        const rows = () => new Uint8Array(floats((rowCount * rowBytes) / 4).buffer);
        const layers = Array.from({ length: layerCount }, () => ({ k: rows(), v: rows() }));
        return { sequenceId, segment: index, rowCount, dtype: "f32", layers } as const;
      };
      const segments = [segment("a", 1, 64), segment("b", 0, 32), segment("a", 0, 96)];
      for (const store of stores) await Promise.all(segments.map((rows) => store.put(rows)));
      for (const rows of segments) expect(await stores[1].get(rows.sequenceId, rows.segment)).toEqual(rows);
      const query = (sequenceId: string, segmentCount: number, rowCount: number) => ({
        ...{ sequenceId, segmentCount, rowCount, endSegment: segmentCount, segments: [] },
      });
      const calls = [
        [query("a", 2, 3), query("b", 1, 1)],
        // More rows than are computed at once.
        [query("a", 1, 300)],
      ].map((queries) => {
        const rowCount = queries.reduce((sum, each) => sum + each.rowCount, 0);
        return { layer: 0, queries, q_aQ: floats(rowCount * width) };
      });
      const [expected, found] = await Promise.all(
        stores.map((store) => Promise.all(calls.map((call) => store.attend(call)))),
      );
      for (const [i, part] of (found ?? []).entries())
        for (const key of ["attended_aQ", "lse_aH"] as const)
          for (const [at, value] of part[key].entries())
            expect(value).toBeCloseTo(expected?.[i]?.[key][at] ?? Number.NaN, 5);
      for (const wrong of [query("a", 1, 1), { ...query("a", 2, 1), sequenceId: "c" }]) {
        const call = { layer: 0, queries: [{ ...wrong, endSegment: 2 }], q_aQ: floats(width) };
        await expect(stores[1].attend(call)).rejects.toMatchObject({ code: "not_found" });
      }
      stores[1].drop("a");
      expect(stores[1].byteCount).toBe(32 * rowBytes * 2 * layerCount);
      await expect(stores[1].put(segment("d", 0, 2 ** 16))).rejects.toMatchObject({ code: "overloaded" });
    });
  },
);
