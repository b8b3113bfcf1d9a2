import { columns, wrap } from "../top/columns.ts";
import { type LoadLevel, levelName } from "./load-level.ts";
import { type LoadSummary, middleOf } from "./load-summary.ts";
import type { Sample } from "./load-target.ts";
import type { ServiceLevel } from "./service-level.ts";

/** One server at one level: every round's numbers, and the last round's requests. */
export type MeasuredLevel = Readonly<{
  level: LoadLevel;
  server: string;
  rounds: readonly LoadSummary[];
  samples: readonly Sample[];
}>;

export type LoadReport = Readonly<{
  model: string;
  seed: number;
  servers: readonly Readonly<{ name: string; url: string }>[];
  goal: ServiceLevel;
  measured: readonly MeasuredLevel[];
  /** The longest pause of this process, in milliseconds: what it measures cannot be finer. */
  clientPauseMs: number;
  /** Ended by a signal before all was sent. */
  stopped: boolean;
}>;

const HEADING = [
  "load",
  "server",
  "tokens/s",
  "requests/s",
  "TTFT p50",
  "p99",
  "ITL p50",
  "p99",
  "TPOT p50",
  "all p50",
  "good %",
  "failed",
];

/** The table's rows, the heading first. Times are in milliseconds. */
export function reportRows({ measured }: LoadReport): string[][] {
  return [
    HEADING,
    ...measured.map(({ level, server, rounds }) => {
      const { ttft, itl, tpot, e2e, ...middle } = middleOf(rounds);
      return [
        levelName(level),
        server,
        decimal(middle.outputTokensPerSecond),
        decimal(middle.requestsPerSecond),
        ...[ttft.p50, ttft.p99, itl.p50, itl.p99, tpot.p50, e2e.p50].map(decimal),
        decimal(middle.good * 100),
        String(middle.failed),
      ];
    }),
  ];
}

/** The table for a terminal, and below it what a reader has to know of it. */
export function reportText(report: LoadReport): string {
  const lines = [...columns(reportRows(report)), "", ...reportNotes(report).flatMap(wrap)];
  return `${lines.join("\n")}\n`;
}

/** Sentences below the table. */
export function reportNotes({ model, seed, measured, goal, clientPauseMs, stopped }: LoadReport): string[] {
  const [first] = measured;
  const roundCount = first?.rounds.length ?? 0;
  const goals = Object.entries(goal).map(([name, ms]) => `${name} ${ms} ms`);
  return [
    ...(stopped ? ["Ended before all was sent."] : []),
    `Model ${model}; times in milliseconds; medians of ${roundCount} ${roundCount === 1 ? "round" : "rounds"}; seed ${seed}.`,
    ...(first === undefined ? [] : [lengthsNote(first.rounds)]),
    ...(goals.length > 0
      ? [`Good: answered within ${goals.join(", ")}.`]
      : ["Good: answered at all; --goodput names a service level."]),
    `The longest pause of this client was ${decimal(clientPauseMs)} ms.`,
    ...measured.flatMap(({ level, server, rounds: all }) =>
      middleOf(all).failures.map(({ reason, count }) => `${count} failed at ${levelName(level)}, ${server}: ${reason}`),
    ),
  ];
}

function lengthsNote(rounds: readonly LoadSummary[]): string {
  const { requests, failed, promptTokens, outputTokens } = middleOf(rounds);
  const answered = Math.max(1, (requests - failed) / rounds.length);
  return `Of the first row: ${decimal(promptTokens / answered)} prompt and ${decimal(outputTokens / answered)} answered tokens a request.`;
}

/** Three digits that matter, and no more behind the point than that takes. */
function decimal(value: number): string {
  if (!Number.isFinite(value)) return "none";
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

/** The report as JSON, with every request of the last round. */
export function reportJson({ measured, ...rest }: LoadReport): string {
  const levels = measured.map(({ level, server, rounds, samples }) => ({
    load: level,
    server,
    median: middleOf(rounds),
    rounds,
    requests: samples.map(({ beginMs, endMs, pieceMs, ...sample }) => ({
      ...sample,
      beginMs: beginMs - (samples[0]?.beginMs ?? beginMs),
      endMs: endMs - beginMs,
      pieceMs: pieceMs.map((ms) => ms - beginMs),
    })),
  }));
  return `${JSON.stringify({ ...rest, levels }, undefined, 2)}\n`;
}
