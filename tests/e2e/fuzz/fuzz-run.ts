import { Chance } from "./chance.ts";
import { GrpcFuzz, isFault } from "./grpc-fuzz.ts";
import { httpGrammar, type Outcome, sendHttp } from "./http-fuzz.ts";

export type FuzzOptions = Readonly<{
  url: string;
  grpc: string;
  seed: number;
  count: number;
  /** Requests at once. */
  atOnce: number;
}>;

export type FuzzReport = Readonly<{
  /** Requests by what came of them. */
  counts: ReadonlyMap<string, number>;
  /** Those that were told of a bug, or of nothing. */
  faults: readonly Outcome[];
}>;

const FAULTS_KEPT = 50;

/** Sends requests that a seed makes from the grammar of the API, four of HTTP to each of gRPC, and says what came of them. */
export async function fuzz({ url, grpc, seed, count, atOnce }: FuzzOptions): Promise<FuzzReport> {
  const grammar = await httpGrammar(url);
  using calls = new GrpcFuzz(grpc);
  const counts = new Map<string, number>();
  const faults: Outcome[] = [];
  let next = 0;
  const one = async () => {
    while (next < count) {
      // Each has its own seed: what fails can be sent alone.
      const chance = new Chance(seed * 1_000_003 + next++);
      const isGrpc = chance.is(0.2);
      const outcome = isGrpc ? await calls.send(chance) : await sendHttp(url, grammar, chance);
      counts.set(outcome.what, (counts.get(outcome.what) ?? 0) + 1);
      const isWrong = isGrpc ? isFault(outcome.what) : /^(500|no answer|refused)$/.test(outcome.what);
      if (isWrong && faults.length < FAULTS_KEPT) faults.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return { counts, faults };
}
