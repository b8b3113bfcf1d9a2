import { setImmediate } from "node:timers/promises";
import { loadModelConfig, openCheckpoint, StoredTextRows, TextWeights } from "@drover/checkpoint";
import { at, type SharedRoom } from "@drover/core";
import { seededRandom, tinyModel } from "@drover/testkit";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCuda } from "../driver/open-cuda.ts";
import { CardExperts } from "../experts/card-experts.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import type { StepBuffers } from "../model/step-buffers.ts";
import { cpuCardKernels, cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { LinkKernels } from "./link-kernels.ts";
import { LinkMemory } from "./link-layout.ts";
import { StepLinks } from "./step-links.ts";

describe.skipIf(!hasCpuCard)(
  "rows that go to another card by themselves (a CPU in both cards' place; needs g++)",
  async () => {
    if (!hasCpuCard) return;
    const folder = await tinyModel(7);
    const config = await loadModelConfig(folder.path);
    const checkpoint = await openCheckpoint(folder.path);
    const source = { rows: new StoredTextRows(new TextWeights(checkpoint, config)), quantization: null };
    const cuda = await openCuda(0, cpuCardLibraries());
    const { device } = cuda;
    const free = device.freeBytes;
    const { hiddenSize: d, expertCount, moeLayers } = config;
    const layer = at(moeLayers, 0);
    const library = new KernelLibrary(cuda, cpuCardKernels());
    const random = seededRandom(3);
    const floats = (count: number) => Float32Array.from({ length: count }, () => 2 * random() - 1);
    beforeEach(() => {
      process.env.CPU_CARD_REGISTERS = "1";
    });
    afterEach(() => void delete process.env.CPU_CARD_REGISTERS);
    afterAll(async () => {
      library.close();
      expect(device.freeBytes).toBe(free);
      device.close();
      await checkpoint[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    });

    /** Two ends of memory that two processes have, each with its bell. */
    function ends(byteCount: number): readonly [asking: SharedRoom, answering: SharedRoom] {
      const shared = device.allocateHost(byteCount);
      shared.bytes.fill(0);
      const hears = [() => undefined, () => undefined] as (() => void)[];
      const gone = [() => undefined, () => undefined] as (() => void)[];
      const open = [true, true];
      const end = (own: number, other: number): SharedRoom => ({
        ...shared,
        get isOpen() {
          return open[own] === true;
        },
        listen: (onWake, onGone) => {
          [hears[own], gone[own]] = [onWake, onGone];
        },
        ring: () => hears[other]?.(),
        unmap: () => undefined,
        [Symbol.dispose]: () => {
          for (const side of [own, other]) {
            if (open[side] !== true) continue;
            open[side] = false;
            gone[side]?.();
          }
        },
      });
      return [end(0, 1), end(1, 0)];
    }

    /** A step's rows on the asking card, whose experts are all elsewhere. */
    function asking(experts: readonly number[], holders: readonly string[], rowCount = 6) {
      const memory = new DeviceMemory(device);
      const stream = device.createStream();
      const put = (values: Float32Array | Int32Array) => {
        const address = memory.allocate("activations", values.byteLength);
        device.write(address, new Uint8Array(values.buffer));
        return address;
      };
      const [z, scales, routedAtFirst] = [
        floats(rowCount * d),
        floats(rowCount),
        new Float32Array(rowCount * d).fill(9),
      ];
      const chosen = new Int32Array(rowCount * moeLayers.length);
      for (const [row, expert] of experts.entries()) chosen[row * moeLayers.length] = expert;
      const [exact, routed, live] = [put(z), put(routedAtFirst), put(Int32Array.of(experts.length))];
      const buffers = {
        exact,
        chosen: put(chosen),
        routed,
        routing: { scales: put(scales) },
      } as unknown as StepBuffers;
      const away: number[] = [];
      const sent: number[] = [];
      const kernels = new LinkKernels(device, library, "f32", stream);
      const map = { layers: new Map(moeLayers.map((of) => [of, Array.from({ length: expertCount }, () => holders)])) };
      const direct = {
        map: () => map,
        rowsAway: (_layer: number, expert: number, count: number) => void away.push(expert, count),
        sent: (_workerId: string, count: number) => void sent.push(count),
      };
      const links = new StepLinks({ device, memory, stream, kernels }, config, undefined, direct);
      const scaled = Float32Array.from(z, (value, i) => value * at(scales, Math.floor(i / d)));
      const answers = () => {
        const found = new Float32Array(rowCount * d);
        device.read(routed, new Uint8Array(found.buffer));
        return found;
      };
      const step = {
        send: () => links.send(rowCount, 1, 0, buffers, live),
        receive: () => links.receive(rowCount, 1, buffers),
        end: () => {
          const ids = new Uint16Array(rowCount * moeLayers.length);
          for (const [row, expert] of experts.entries()) ids[row * moeLayers.length] = expert;
          return links.end(ids, rowCount);
        },
      };
      const close = () => {
        links.close();
        memory.close();
        device.destroyStream(stream);
      };
      return { links, scaled, answers, away, sent, step, [Symbol.dispose]: close };
    }

    const answering = async (experts: readonly number[]) => {
      const holder = await CardExperts.open(cuda, config, source, { precision: "f32", cacheFolder: cpuCardKernels() });
      for (const expert of experts) await holder.load(layer, expert);
      const rows: number[] = [];
      const answers = holder.answers((_layer, expert) => void rows.push(expert));
      return { holder, answers, rows };
    };

    /** Both sides' ends of one link, as two cards have them. */
    function linked({ links }: ReturnType<typeof asking>, answers: { answer(room: SharedRoom): void }) {
      const [asks, gives] = ends(links.byteCount);
      const link = links.open("other", asks);
      new LinkMemory(asks).card = "f".repeat(32);
      answers.answer(gives);
      link.begin();
      return { asks, gives, link };
    }

    async function answered(room: SharedRoom): Promise<void> {
      const memory = new LinkMemory(room);
      while (memory.answeredCount !== memory.askedCount) await setImmediate();
    }

    const rowOf = (rows: Float32Array, row: number) => rows.subarray(row * d, (row + 1) * d);

    test("a step's rows come back as their holder computes them, call after call, and idle rows are untouched", async () => {
      const experts = [2, 0, 2, 3, 2];
      const { holder, answers, rows } = await answering([0, 2, 3]);
      using asks = asking(experts, ["other"]);
      const { asks: room } = linked(asks, answers);
      for (let turn = 0; turn < 3; turn++) {
        expect(asks.links.begin()).toBe(1);
        asks.step.send();
        await answered(room);
        asks.step.receive();
        expect(asks.step.end().lost).toEqual([]);
      }
      for (const [row, expert] of experts.entries()) {
        const expected = new Float32Array(d);
        await holder.run(layer, [expert], [1], rowOf(asks.scaled, row).slice(), expected);
        for (const [i, value] of rowOf(asks.answers(), row).entries()) expect(value).toBeCloseTo(at(expected, i), 5);
      }
      expect([...rowOf(asks.answers(), 5)].every((value) => value === 9)).toBe(true);
      expect(asks.sent).toEqual([1, 1, 1]);
      expect(rows).toEqual([...experts, ...experts, ...experts]);
      holder[Symbol.dispose]();
    });

    test("more rows than blocks wait for come back too, as a prompt's beside streams do", async () => {
      const experts = Array.from({ length: 70 }, (_, i) => (i * 3) % 4);
      const { holder, answers } = await answering([0, 1, 2, 3]);
      using asks = asking(experts, ["other"], 96);
      const { asks: room } = linked(asks, answers);
      expect(asks.links.begin()).toBe(1);
      asks.step.send();
      await answered(room);
      asks.step.receive();
      expect(asks.step.end().lost).toEqual([]);
      const expected = new Float32Array(d);
      for (const row of [0, 1, 63, 64, 69]) {
        await holder.run(layer, [at(experts, row)], [1], rowOf(asks.scaled, row).slice(), expected);
        for (const [i, value] of rowOf(asks.answers(), row).entries()) expect(value).toBeCloseTo(at(expected, i), 5);
      }
      expect([...rowOf(asks.answers(), 70)].every((value) => value === 9)).toBe(true);
      holder[Symbol.dispose]();
    });

    test("rows whose holder has given their expert up are lost, and so are those of a holder that is gone, for which nobody waits", async () => {
      const { holder, answers } = await answering([0]);
      using asks = asking([0, 1], ["other"]);
      const { asks: room, gives } = linked(asks, answers);
      expect(asks.links.begin()).toBe(1);
      asks.step.send();
      await answered(room);
      asks.step.receive();
      expect(asks.step.end().lost).toEqual([0, 1]);
      expect([...rowOf(asks.answers(), 1)].every((value) => value === 0)).toBe(true);
      // Steps go the way of all others for a while.
      let rests = 0;
      while (asks.links.begin() === undefined) rests += 1;
      expect(rests).toBeGreaterThan(10);
      asks.step.send();
      gives[Symbol.dispose]();
      new LinkMemory(room).leave();
      asks.step.receive();
      expect(asks.step.end().lost).toEqual([0, 1]);
      holder[Symbol.dispose]();
    });

    test("steps go the way of all others without a link to each expert's holder, and a link that ends is left at the next step", async () => {
      const { holder, answers } = await answering([0, 1]);
      using asks = asking([0], ["other"]);
      expect(asks.links.begin()).toBeUndefined();
      const { link } = linked(asks, answers);
      expect(asks.links.begin()).toBe(1);
      link[Symbol.dispose]();
      asks.step.end();
      expect(asks.links.begin()).toBeUndefined();
      using others = asking([0], ["somebody"]);
      linked(others, answers);
      expect(others.links.begin()).toBeUndefined();
      holder[Symbol.dispose]();
    });

    test("a card refuses a link from a process of its own, and one that cannot read such memory refuses every link", async () => {
      const { holder, answers } = await answering([0]);
      using asks = asking([0], ["other"]);
      const [own, theirs] = ends(asks.links.byteCount);
      asks.links.open("other", own);
      expect(() => answers.answer(theirs)).toThrow(/own/);
      delete process.env.CPU_CARD_REGISTERS;
      expect(() => asks.links.open("other", own)).toThrow(/801/);
      holder[Symbol.dispose]();
    });
  },
);
