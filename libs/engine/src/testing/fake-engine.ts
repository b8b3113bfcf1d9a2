import { greedyParams, noMasks, type RequestEvent, requestId, routerId, type TokenMasks } from "@drover/core";
import type { KvGeometry } from "@drover/kv";
import { Engine } from "../engine.ts";
import type { StepFacts } from "../engine-options.ts";
import type { GenerationTask } from "../task.ts";
import { type FakeAnswer, type FakeCost, FakeRunner } from "./fake-runner.ts";
import { FakeSequences } from "./fake-sequences.ts";

export type FakeEngineOptions = Readonly<{
  geometry: KvGeometry;
  kvBytesMax: number;
  cost?: FakeCost;
  answer?: FakeAnswer;
  expertsRead?: number;
  stepMs?: number;
  prefillRowsMax?: number;
  masks?: TokenMasks;
  breathe?: () => Promise<void>;
}>;

/** An engine whose steps compute nothing, on a clock of its own. */
export type FakeEngine = Readonly<{
  engine: Engine;
  runner: FakeRunner;
  sequences: FakeSequences;
  steps: StepFacts[];
  events: RequestEvent[];
  preemptions: () => number;
  /** Of each step with choices that had been parked: how many, and how long the longest had waited. */
  unparked: readonly (readonly [number, number])[];
}>;

export function fakeEngine(options: FakeEngineOptions): FakeEngine {
  const {
    geometry,
    kvBytesMax,
    cost,
    answer,
    expertsRead,
    stepMs = 20,
    prefillRowsMax = 64,
    masks = noMasks,
  } = options;
  const runner = new FakeRunner(cost, answer, expertsRead);
  const sequences = new FakeSequences(geometry, kvBytesMax);
  const steps: StepFacts[] = [];
  const events: RequestEvent[] = [];
  const unparked: [number, number][] = [];
  let preemptionCount = 0;
  const quiet = () => undefined;
  const engine = new Engine({
    sequences,
    runner,
    geometry,
    features: { features: () => Promise.reject(new Error("no images here")) },
    masks,
    stepMs,
    prefillRowsMax,
    detachGraceMs: 1e12,
    clock: runner.clock,
    observer: {
      stepEnded: (facts) => steps.push(facts),
      tokensComputed: quiet,
      preempted: () => (preemptionCount += 1),
      prefixFound: () => undefined,
      parked: quiet,
      unparked: (count, longestMs) => unparked.push([count, longestMs]),
    },
    breathe: options.breathe ?? (() => Promise.resolve()),
  });
  engine.attach(routerId("test"), { send: (sent) => events.push(...sent), replaced: quiet }, []);
  return { engine, runner, sequences, steps, events, unparked, preemptions: () => preemptionCount };
}

/** A greedy task that runs to `maxTokens`. */
export function taskOfLength(id: string, promptTokens: number, maxTokens: number, n = 1): GenerationTask {
  return {
    requestId: requestId(id),
    routerId: routerId("test"),
    attempt: 1,
    promptTokenIds: new Uint32Array(promptTokens),
    images: [],
    blockHashes: new Uint8Array(),
    delivered: Array.from({ length: n }, () => ({ tokenIds: [], finished: false })),
    deadlineMs: Number.MAX_SAFE_INTEGER,
    params: { ...greedyParams(maxTokens), n },
  };
}

/** Runs steps until no choice is left. Steps that it took; throws when they are more than `stepsMax`. */
export async function drainFake({ engine }: FakeEngine, stepsMax: number): Promise<number> {
  for (let step = 0; ; step++) {
    const { runningCount, waitingCount } = engine.load();
    if (runningCount + waitingCount === 0) {
      engine.flush();
      return step;
    }
    if (step === stepsMax) throw new Error(`${runningCount} running and ${waitingCount} waiting after ${step} steps`);
    await engine.step();
  }
}
