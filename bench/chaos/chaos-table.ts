import { at } from "@drover/core";
import type { MixedTally } from "./mixed-stream.ts";
import type { Pauses } from "./pauses.ts";

/** What has come of a run so far. */
type ChaosState = Readonly<{
  tally: MixedTally;
  pauses: Pauses;
  /** Requests that were asked again because their router was killed. */
  askedAgainCount: number;
  /** How long each request that was answered 503 had waited, milliseconds. */
  refusedAfterMs: readonly number[];
}>;

/** Two tables in Markdown, of requests and of pauses by what was killed, and then each wrong answer. */
export function chaosTable({ tally, pauses, askedAgainCount, refusedAfterMs }: ChaosState): string {
  const { requests, right, wrong, lost, hanging } = tally;
  const errors = [...tally.errors].map(([end, count]) => `${count} x ${end}`).join(", ") || "none";
  const soonest = refusedAfterMs.length === 0 ? "none" : Math.round(Math.min(...refusedAfterMs));
  return [
    "| requests | right | wrong | lost | hanging | errors | asked again after their router was killed | soonest 503 ms |",
    "|---|---|---|---|---|---|---|---|",
    `| ${requests} | ${right} | ${wrong.length} | ${lost} | ${hanging} | ${errors} | ${askedAgainCount} | ${soonest} |`,
    "| killed | times | streams at it | pause p50 ms | p99 | most |",
    "|---|---|---|---|---|---|",
    ...[...pauses.all].map(([kind, sorted]) => {
      const parts = [0.5, 0.99, 1].map((part) => quantile(sorted, part));
      return `| ${kind} | ${pauses.countOf(kind)} | ${sorted.length} | ${parts.join(" | ")} |`;
    }),
    ...wrong,
  ].join("\n");
}

const quantile = (sorted: readonly number[], part: number) =>
  sorted.length === 0 ? "none" : Math.round(at(sorted, Math.min(sorted.length - 1, Math.floor(sorted.length * part))));
