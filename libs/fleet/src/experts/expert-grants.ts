import { assert, at } from "@drover/core";
import { SHARED_STIFFNESS } from "../limits.ts";

/** One layer's experts before copies are given out: what they are asked for, and where their owners are. */
export type GrantInput = Readonly<{
  /** Each expert's part of the layer's rows; they sum to 1. */
  heat: readonly number[];
  /** Each expert's owner, as the index of a worker. */
  owners: readonly number[];
  workerCount: number;
  /** Copies that every expert has anyway. */
  heldTwice: number;
  /** Copies to give out. */
  spareCount: number;
}>;

/** An expert's workers while copies are given out, its owner first. */
type Holders = number[][];

/**
 * How many copies each expert gets of `spareCount`: those whose rows, taken from where they are, free the worker that can shed least. A worker's rows of experts that nobody
 * else has are there to stay; those of shared ones can go to the others, and weigh less ({@link SHARED_STIFFNESS}). Where all are asked for alike, the copies are thus spread
 * over all owners, and every worker can give and take. O(copies x experts). Pure.
 */
export function grantCopies({ heat, owners, workerCount, heldTwice, spareCount }: GrantInput): number[] {
  assert(heat.length === owners.length, "every expert has a heat and an owner");
  const holders: Holders = owners.map((owner) => [owner]);
  const grants = owners.map(() => 0);
  const granted = heldTwice * owners.length;
  for (let copy = 0; copy < granted + spareCount; copy++) {
    const expert = copy < granted ? copy % owners.length : mostStuck(heat, holders, workerCount);
    if (expert === undefined) break;
    const taker = leastLoaded(heat, holders, at(holders, expert), workerCount);
    if (taker === undefined) continue;
    at(holders, expert).push(taker);
    if (copy >= granted) grants[expert] = at(grants, expert) + 1;
  }
  return grants;
}

/** The expert whose next copy helps most; undefined where every worker has every expert. */
function mostStuck(heat: readonly number[], holders: Holders, workerCount: number): number | undefined {
  const stuck = new Float64Array(workerCount);
  for (const [expert, workers] of holders.entries()) {
    const part = (at(heat, expert) / workers.length) * (workers.length === 1 ? 1 : SHARED_STIFFNESS);
    for (const worker of workers) stuck[worker] = at(stuck, worker) + part;
  }
  let best: number | undefined;
  let most = -1;
  for (const [expert, workers] of holders.entries()) {
    if (workers.length >= workerCount) continue;
    const worst = workers.reduce((max, worker) => Math.max(max, at(stuck, worker)), 0);
    const score = (at(heat, expert) / workers.length) * worst * worst;
    if (score <= most) continue;
    most = score;
    best = expert;
  }
  return best;
}

function leastLoaded(
  heat: readonly number[],
  holders: Holders,
  except: readonly number[],
  workerCount: number,
): number | undefined {
  const loads = new Float64Array(workerCount);
  for (const [expert, workers] of holders.entries())
    for (const worker of workers) loads[worker] = at(loads, worker) + at(heat, expert) / workers.length;
  let best: number | undefined;
  for (let worker = 0; worker < workerCount; worker++) {
    if (except.includes(worker)) continue;
    if (best === undefined || at(loads, worker) < at(loads, best)) best = worker;
  }
  return best;
}
