import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Candidate } from "./candidate.ts";
import { chooseVictim, type Holder } from "./preemption.ts";
import { StepCost } from "./step-cost.ts";
import { planStep } from "./step-plan.ts";

const TESTDATA = new URL("./testdata/", import.meta.url);
const CHUNK = 256;

type Facts = Readonly<Record<string, number>>;

/** Reads `key=value` words. */
function factsOf(words: readonly string[]): Facts {
  return Object.fromEntries(words.map((word) => word.split("=")).map(([key, value]) => [key, Number(value)]));
}

/**
 * Plays a script and answers each of its questions. `cost`, `budget`: what holds from here on; `decode ID`, `prompt ID`, `holder ID`: who is there,
 * `gone ID`: no more; `plan`: the rows of the next step, computed at once; `victim ID missing=BYTES`: who gives its KV back.
 */
class Scenario {
  #cost = new StepCost(CHUNK);
  #budget = { stepMs: 20, prefillRowsMax: 512, decodeRowsMax: 256 };
  #step = 0;
  readonly #candidates = new Map<number, Candidate>();
  readonly #holders = new Map<number, Holder>();

  ask(line: string): string | undefined {
    const [command, ...words] = line.split(/\s+/);
    const id = Number(words[0]);
    const facts = factsOf(words.filter((word) => word.includes("=")));
    if (command === "cost") this.#setCost(facts);
    else if (command === "budget") this.#budget = { ...this.#budget, ...facts };
    else if (command === "decode" || command === "prompt")
      this.#add(id, command === "decode" ? 1 : (facts.tokens ?? 0), facts);
    else if (command === "holder") this.#hold(id, facts);
    else if (command === "gone") this.#candidates.delete(id);
    else if (command === "plan") return this.#plan();
    else if (command === "victim") return this.#victim(id, facts.missing ?? 0);
    else throw new Error(`a script has no command ${command}`);
    return undefined;
  }

  #setCost(facts: Facts): void {
    const { step = 0, row = 0, pair = 0, read = 0, prompt = 0, decode = 0 } = facts;
    this.#cost = new StepCost(CHUNK, {
      step,
      row,
      globalPair: pair,
      globalRead: read,
      localPair: 0,
      prompt,
      decode,
    });
    // As if it had been measured: all rows of a step are trusted.
    const whole = [{ position: 0, rowCount: 4096 }];
    this.#cost.observe(whole, this.#cost.stepMs(whole));
  }

  #add(id: number, pendingTokenCount: number, { at = 0, request = id }: Facts): void {
    const lastStep = this.#step;
    this.#candidates.set(id, {
      id,
      requestOrder: request,
      computedCount: at,
      pendingTokenCount,
      isDecoding: pendingTokenCount === 1,
      lastStep,
      requestLastStep: lastStep,
    });
  }

  #hold(id: number, { bytes = 0, recompute = 0, preempted = 0, waited }: Facts): void {
    this.#holders.set(id, {
      id,
      byteCount: bytes,
      recomputeMs: recompute,
      preemptionCount: preempted,
      waitedMs: waited,
    });
  }

  #plan(): string {
    this.#step += 1;
    const plan = planStep([...this.#candidates.values()], this.#cost, { ...this.#budget, step: this.#step });
    for (const { of, rowCount } of plan) this.#compute(of.id, rowCount);
    const rows = [...plan].sort((a, b) => a.of.id - b.of.id).map(({ of, rowCount }) => `${of.id}:${rowCount}`);
    return `${rows.join(" ")} in ${this.#cost.stepMs(plan).toFixed(1)} ms`;
  }

  #compute(id: number, rowCount: number): void {
    const was = this.#candidates.get(id);
    if (was === undefined) return;
    if (!was.isDecoding) {
      for (const [other, candidate] of this.#candidates)
        if (candidate.requestOrder === was.requestOrder)
          this.#candidates.set(other, { ...candidate, requestLastStep: this.#step });
    }
    const now = this.#candidates.get(id) ?? was;
    const pendingTokenCount = Math.max(1, was.pendingTokenCount - rowCount);
    const computedCount = was.computedCount + rowCount;
    const isDecoding = pendingTokenCount === 1;
    this.#candidates.set(id, { ...now, computedCount, pendingTokenCount, isDecoding, lastStep: this.#step });
  }

  #victim(id: number, bytesMissing: number): string {
    const needy = this.#holders.get(id);
    if (needy === undefined) throw new Error(`no holder ${id}`);
    const victim = chooseVictim(needy, [...this.#holders.values()], bytesMissing);
    return victim === undefined ? `${id} waits` : `${victim.id} gives way`;
  }
}

describe("scripts", () => {
  for (const name of readdirSync(TESTDATA).sort()) {
    test(name, () => {
      const lines = readFileSync(new URL(name, TESTDATA), "utf8")
        .split("\n")
        .filter((line) => line.trim() !== "");
      const scenario = new Scenario();
      const played: string[] = [];
      for (const line of lines) {
        if (line.startsWith(">")) continue;
        played.push(line);
        if (line.startsWith("#")) continue;
        const answer = scenario.ask(line);
        if (answer !== undefined) played.push(`> ${answer}`);
      }
      expect(played).toEqual(lines);
    });
  }
});
