import { readdirSync, readFileSync } from "node:fs";
import { type WorkerId, workerId } from "@drover/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ExpertWorker } from "./active-map.ts";
import { ExpertPlanner, firstMapEpoch } from "./expert-planner.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);

/** A fleet by script: one command a line (`AT join|loaded|obey|leave|drain|undrain|suspect|lose|heat|tick [WORKER] [EXPERTS]`; `join` may name a room, `heat` names an expert for each row), answered by `>` lines. */
class Script {
  readonly #planner: ExpertPlanner;
  readonly #workers = new Map<string, ExpertWorker>();
  readonly #orders = new Map<string, ReadonlyMap<number, readonly number[]>>();
  #session = 0;

  constructor(header: string) {
    const [, layer, , experts, , expected, , holdersMin = 1, , spareCount = 0] = header.split(" ").map(Number);
    this.#planner = new ExpertPlanner({
      layers: [layer ?? Number.NaN],
      expertCount: experts ?? Number.NaN,
      expectExperts: expected ?? Number.NaN,
      epoch: firstMapEpoch(1n),
      replicas: { holdersMin, spareCount },
    });
  }

  run(line: string): readonly string[] {
    const [at = "", command, name = "", ...rest] = line.split(" ");
    const now = Number(at);
    const worker = this.#workers.get(name);
    if (command === "heat")
      for (const [layer, experts] of parseRows(line)) this.#planner.observe(new Map([[layer, experts]]), now);
    else if (command === "lose") this.#workers.delete(name);
    else if (command === "join") this.#workers.set(name, this.#joined(name, now, rest[0]));
    else if (worker !== undefined) {
      if (command === "drain" || command === "undrain")
        this.#workers.set(name, { ...worker, draining: command === "drain" });
      if (command === "suspect") this.#workers.set(name, { ...worker, suspected: true });
      if (command === "leave") this.#workers.set(name, { ...worker, leaving: true });
      if (command === "loaded") this.#workers.set(name, { ...worker, loaded: parseExperts(rest.join(" ")) });
      if (command === "obey") {
        const order = this.#orders.get(name) ?? new Map<number, readonly number[]>();
        this.#workers.set(name, { ...worker, loaded: new Map([...order].map(([l, e]) => [l, new Set(e)])) });
      }
    }
    return this.#update(now);
  }

  #joined(name: string, now: number, room: string | undefined): ExpertWorker {
    this.#session += 1;
    return {
      workerId: workerId(name),
      incarnation: `life-${this.#session}`,
      session: this.#session,
      address: name,
      joinedAtMs: now,
      suspected: false,
      leaving: false,
      draining: false,
      expertCountMax: room === undefined ? Number.POSITIVE_INFINITY : Number(room),
      loaded: undefined,
    };
  }

  #update(now: number): readonly string[] {
    const planner = this.#planner;
    const { mapChanged, orders } = planner.update([...this.#workers.values()], now);
    const said: string[] = [];
    if (mapChanged) {
      const layers = [...planner.active].map(([layer, experts]) => `${layer}[${experts.map(holders).join(" ")}]`);
      const count = planner.epoch - firstMapEpoch(1n);
      said.push(`> map ${count} ${planner.complete ? "complete" : "incomplete"} ${layers.join(" ")}`);
    }
    for (const [worker, order] of [...orders].sort(([a], [b]) => (a < b ? -1 : 1))) {
      this.#orders.set(worker, order);
      said.push(
        `> order ${worker} ${[...order].map(([layer, experts]) => `${layer}[${experts.join(" ")}]`).join(" ")}`,
      );
    }
    const { shortage } = planner;
    if (shortage !== undefined)
      said.push(`> short of ${shortage.missingCount}, keeps ${shortage.keeps.join(" ") || "-"}`);
    if (Number.isFinite(planner.dueMs)) said.push(`> due ${planner.dueMs}`);
    return said;
  }
}

const holders = (ids: readonly WorkerId[]) => (ids.length === 0 ? "-" : ids.join("+"));

function parseExperts(text: string): ReadonlyMap<number, ReadonlySet<number>> {
  return new Map(
    [...text.matchAll(/(\d+)\[([\d ]*)\]/g)].map(([, layer, experts = ""]) => [
      Number(layer),
      new Set(experts.split(" ").map(Number)),
    ]),
  );
}

/** Rows of each expert, by layer, of a line that names an expert for each row. */
function parseRows(text: string): ReadonlyMap<number, readonly number[]> {
  return new Map(
    [...text.matchAll(/(\d+)\[([\d ]*)\]/g)].map(([, layer, experts = ""]) => {
      const rows: number[] = [];
      for (const expert of experts.split(" ").map(Number)) rows[expert] = (rows[expert] ?? 0) + 1;
      return [Number(layer), Array.from(rows, (count) => count ?? 0)];
    }),
  );
}

describe("ExpertPlanner", () => {
  it.each(readdirSync(TESTDATA).filter((file) => file.endsWith(".txt")))("does what %s says", (file) => {
    const text = readFileSync(new URL(file, TESTDATA), "utf8");
    const [header = "", ...lines] = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const script = new Script(header);
    const actual = [header];
    for (const line of lines) if (!line.startsWith(">")) actual.push(line, ...script.run(line));
    expect(actual.join("\n")).toBe([header, ...lines].join("\n"));
  });

  it("for every history of obedient workers: once quiet, the map is complete where memory allows it, each expert has one holder, epochs only rise, and no order is larger than its worker's memory", () => {
    const rooms = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 7, 9, 3];
    const step = fc.record({
      kind: fc.constantFrom("join", "lose", "leave", "drain", "undrain", "obey", "wait"),
      id: fc.integer({ min: 0, max: 4 }),
      ms: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const planner = new ExpertPlanner({
          layers: [1, 3],
          expertCount: 7,
          expectExperts: 1,
          epoch: firstMapEpoch(2n),
        });
        const workers = new Map<string, ExpertWorker>();
        const orders = new Map<string, ReadonlyMap<number, readonly number[]>>();
        let now = 0;
        let session = 0;
        let epoch = planner.epoch;
        const update = () => {
          const wasComplete = planner.complete;
          const result = planner.update([...workers.values()], now);
          for (const [worker, order] of result.orders) {
            orders.set(worker, order);
            const count = [...order.values()].reduce((sum, experts) => sum + experts.length, 0);
            expect(count).toBeLessThanOrEqual(workers.get(worker)?.expertCountMax ?? 0);
          }
          expect(planner.epoch > epoch).toBe(result.mapChanged);
          epoch = planner.epoch;
          return wasComplete;
        };
        const obey = (id: string) => {
          const worker = workers.get(id);
          const order = orders.get(id) ?? new Map<number, readonly number[]>();
          if (worker === undefined) return;
          workers.set(id, { ...worker, loaded: new Map([...order].map(([l, e]) => [l, new Set(e)])) });
        };
        for (const { kind, id, ms } of steps) {
          const name = `w${id}`;
          const worker = workers.get(name);
          if (kind === "join" && worker === undefined) {
            session += 1;
            orders.delete(name);
            workers.set(name, {
              workerId: workerId(name),
              incarnation: `life-${session}`,
              session,
              address: name,
              joinedAtMs: now,
              suspected: false,
              leaving: false,
              draining: false,
              expertCountMax: rooms[id] ?? 0,
              loaded: new Map(),
            });
          } else if (kind === "lose") workers.delete(name);
          else if (kind === "leave" && worker !== undefined) workers.set(name, { ...worker, leaving: true });
          else if ((kind === "drain" || kind === "undrain") && worker !== undefined)
            workers.set(name, { ...worker, draining: kind === "drain" });
          else if (kind === "obey") obey(name);
          else now += ms;
          const wasComplete = update();
          // Make before break: neither a plan nor an obedient worker ever takes the last holder away.
          if (wasComplete && kind !== "join" && kind !== "lose") expect(planner.complete).toBe(true);
        }
        for (let round = 0; round < 6; round += 1) {
          now += 20_000;
          update();
          for (const id of workers.keys()) obey(id);
          update();
        }
        const staying = [...workers.values()].filter((worker) => !worker.leaving && !worker.draining);
        if (staying.reduce((sum, { expertCountMax }) => sum + expertCountMax, 0) < 14) return;
        expect(planner.shortage).toBeUndefined();
        expect(planner.complete).toBe(true);
        for (const experts of planner.active.values()) {
          for (const active of experts) {
            expect(active).toHaveLength(1);
            const holder = workers.get(active[0] ?? "");
            expect(holder?.leaving || holder?.draining).toBe(false);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
