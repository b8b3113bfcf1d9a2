import { type Clock, DroverError } from "@drover/core";
import type { BenchConfig } from "./bench-config.ts";
import { type BodySettings, loadBody, pathOf } from "./load-body.ts";
import { type LoadLevel, levelName } from "./load-level.ts";
import { type LoadPlan, madePlan, recordedPlan } from "./load-plan.ts";
import type { MeasuredLevel } from "./load-report.ts";
import { type LoadSummary, summarize } from "./load-summary.ts";
import type { LoadTarget, Sample } from "./load-target.ts";
import { madeWords, type WordScale, wordScale } from "./made-prompt.ts";
import type { RecordedRequest } from "./recorded-load.ts";
import { sendLoad } from "./send-load.ts";
import type { ServiceLevel } from "./service-level.ts";
import type { TokenLength } from "./token-length.ts";

/** What is measured, read from the flags. */
export type BenchSubject = Readonly<{
  config: BenchConfig;
  goal: ServiceLevel;
  levels: readonly LoadLevel[];
  input: TokenLength;
  output: TokenLength;
  body: BodySettings;
  trace: readonly RecordedRequest[] | undefined;
  model: string;
  targets: readonly LoadTarget[];
  seed: number;
}>;

const FEW_WORDS = 8;
const MANY_WORDS = 108;

/**
 * Measures every level at every server, in turns and in every round in the other order; ends early, with what there is, once `signal` aborts. Errors: `unavailable` where a server does not answer
 * the first requests.
 */
export async function measureLevels(
  subject: BenchSubject,
  clock: Clock,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<MeasuredLevel[]> {
  const { levels, targets, config, goal } = subject;
  const scales = new Map<LoadTarget, WordScale>();
  for (const target of targets) scales.set(target, await warmUp(subject, target, clock, signal));
  const found = levels.flatMap((level) =>
    targets.map((target) => ({ level, target, rounds: [] as LoadSummary[], samples: [] as Sample[] })),
  );
  for (let round = 0; round < config.rounds; round++)
    for (const entry of round % 2 === 0 ? found : inTurns(found, targets.length)) {
      if (signal.aborted) break;
      say(`${levelName(entry.level)}, ${entry.target.name}, round ${round + 1} of ${config.rounds}`);
      const scale = scales.get(entry.target) ?? { wordTokens: 1, fixedTokens: 0 };
      const plan = planOf(subject, entry.level, scale, round * levels.length + levels.indexOf(entry.level));
      entry.samples = await sendPlan(subject, entry.level, plan, entry.target, clock, signal);
      if (entry.samples.length > 0) entry.rounds.push(summarize(entry.samples, goal));
    }
  return found
    .filter(({ rounds }) => rounds.length > 0)
    .map(({ level, target, rounds, samples }) => ({ level, server: target.name, rounds, samples }));
}

/** The same levels, each one's servers the other way round. */
function inTurns<T>(entries: readonly T[], serverCount: number): T[] {
  return Array.from({ length: entries.length / serverCount }, (_, i) =>
    entries.slice(i * serverCount, (i + 1) * serverCount).reverse(),
  ).flat();
}

function planOf(subject: BenchSubject, level: LoadLevel, scale: WordScale, serial: number): LoadPlan {
  const { config, input, output, trace } = subject;
  const seed = (subject.seed + serial) >>> 0;
  if (trace !== undefined)
    return recordedPlan(trace, { speed: config.traceSpeed, lengths: config.traceLengths, scale }, subject.seed);
  const { requests: count, prefixTokens, prefixGroups } = config;
  return madePlan(level, { count, input, output, prefixTokens, prefixGroups, scale }, seed);
}

function sendPlan(
  { body, model }: BenchSubject,
  level: LoadLevel,
  plan: LoadPlan,
  target: LoadTarget,
  clock: Clock,
  signal: AbortSignal,
): Promise<Sample[]> {
  const send = (index: number) => target.measure(pathOf(body), loadBody(model, plan.prompt(index), body), signal);
  return sendLoad({ level, plan, send, clock }, signal);
}

/** Sends what is not measured, and learns from it how many tokens words are. */
async function warmUp(
  subject: BenchSubject,
  target: LoadTarget,
  clock: Clock,
  signal: AbortSignal,
): Promise<WordScale> {
  const { body, model, config, seed } = subject;
  const plain = { ...body, pictures: [], schema: undefined };
  const counted = async (words: number) => {
    const prompt = { text: madeWords(words, seed ^ words), outputTokens: 1 };
    const { error, promptTokens } = await target.measure(pathOf(plain), loadBody(model, prompt, plain), signal);
    signal.throwIfAborted();
    if (error !== undefined) throw new DroverError("unavailable", `${target.name} at ${target.url}: ${error}`);
    return { words, tokens: promptTokens === 0 ? words : promptTokens };
  };
  const scale = wordScale(await counted(FEW_WORDS), await counted(MANY_WORDS));
  const level: LoadLevel = { kind: "concurrency", inFlight: Math.max(1, config.warmup) };
  const plan = madePlan(
    level,
    { ...subject, count: config.warmup, prefixTokens: config.prefixTokens, prefixGroups: config.prefixGroups, scale },
    ~seed >>> 0,
  );
  await sendPlan(subject, level, plan, target, clock, signal);
  return scale;
}
