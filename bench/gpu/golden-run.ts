import { at } from "@drover/core";
import { KvCache } from "@drover/kv";
import type { CudaText, GivenRows } from "../../libs/cuda/src/model/cuda-text.ts";
import { CardSequence } from "./card-sequence.ts";
import type { GoldenCase } from "./golden-case.ts";

/** How far a case is from the reference. */
export type GoldenResult = Readonly<{
  name: string;
  tokenCount: number;
  /** Absolute differences of ln p, of the prompt's tokens and of the likeliest behind it. */
  differences: readonly number[];
  /** The first greedy step that differs, with the reference's margin there; undefined: none. */
  differs: Readonly<{ step: number; margin: number }> | undefined;
  routerMargin: number;
}>;

const TOP = 10;

/** Features of a case's tiles, [patches of the prompt, D]; none where it has no pictures. */
export type FeaturesOf = (golden: GoldenCase) => Float32Array | undefined;

/** Runs cases side by side: prompts in parts of `prefillRows` rows, with the features of their pictures, then all decode together. */
export async function runGoldens(
  text: CudaText,
  cases: readonly GoldenCase[],
  prefillRows: number,
  kvBytes: number,
  featuresOf: FeaturesOf,
) {
  const cache = new KvCache(text.geometry, text.store, { bytesMax: kvBytes, prefixCache: false });
  const sequences = cases.map((golden) => ({ golden, sequence: new CardSequence(text, cache), greedy: [0] }));
  const results = new Map<string, number[]>();
  for (const each of sequences) {
    const { differences, next } = await prefill(text, each.sequence, each.golden, prefillRows, featuresOf(each.golden));
    results.set(each.golden.name, differences);
    each.greedy[0] = next;
  }
  for (let active = sequences; ; ) {
    active = active.filter(({ golden, greedy }) => greedy.length < golden.greedy.length);
    if (active.length === 0) break;
    const runs = active.map(({ sequence, greedy }) => sequence.run(Int32Array.of(at(greedy, greedy.length - 1))));
    const wanted = Int32Array.from(runs, (_, row) => row);
    const { rows } = await text.step(runs, [], { wanted, asked: new Int32Array(runs.length), topCount: 1, whole: [] });
    for (const [i, { sequence, greedy }] of active.entries()) {
      sequence.commit(1);
      greedy.push(at(at(rows, i).topIds, 0));
    }
  }
  for (const { sequence } of sequences) sequence.close();
  return sequences.map(({ golden, greedy }): GoldenResult => {
    const step = greedy.findIndex((id, i) => id !== golden.greedy[i]);
    return {
      name: golden.name,
      tokenCount: golden.input_ids.length,
      differences: results.get(golden.name) ?? [],
      differs: step < 0 ? undefined : { step, margin: at(golden.margins, step) },
      routerMargin: golden.router_margin,
    };
  });
}

/** Features of the patches among rows [from, from + count) of a prompt, as they are given to a step. */
function givenRows(
  { config }: CudaText,
  ids: readonly number[],
  from: number,
  count: number,
  features: Float32Array | undefined,
): readonly GivenRows[] {
  const width = config.hiddenSize;
  let patch = ids.slice(0, from).filter((id) => id === config.imageTokenId).length;
  return ids.slice(from, from + count).flatMap((id, row) => {
    if (features === undefined || id !== config.imageTokenId) return [];
    patch += 1;
    return [{ row, rows_aD: features.subarray((patch - 1) * width, patch * width) }];
  });
}

async function prefill(
  text: CudaText,
  sequence: CardSequence,
  golden: GoldenCase,
  prefillRows: number,
  features: Float32Array | undefined,
) {
  const ids = golden.input_ids;
  const differences: number[] = [];
  let next = 0;
  for (let from = 0; from < ids.length; from += prefillRows) {
    const part = Int32Array.from(ids.slice(from, from + prefillRows));
    const wanted = Int32Array.from(part, (_, row) => row);
    const asked = Int32Array.from(part, (_, row) => ids[from + row + 1] ?? 0);
    const given = givenRows(text, ids, from, part.length, features);
    const { rows } = await text.step([sequence.run(part)], given, { wanted, asked, topCount: TOP, whole: [] });
    sequence.commit(part.length);
    for (const [row, { askedLogit, logSumExp }] of rows.entries()) {
      const expected = golden.prompt_logprobs[from + row + 1];
      if (typeof expected === "number") differences.push(Math.abs(askedLogit - logSumExp - expected));
    }
    const last = at(rows, rows.length - 1);
    next = at(last.topIds, 0);
    if (from + prefillRows < ids.length) continue;
    for (const [id, logprob] of golden.top) {
      const place = last.topIds.indexOf(id);
      // A token that is among one's ten likeliest and not among the other's is about as likely as the tenth.
      if (place >= 0) differences.push(Math.abs(at(last.topValues, place) - last.logSumExp - logprob));
    }
  }
  return { differences, next };
}
