import type { StreamLevel } from "./stream-level.ts";

/** One line of the table; what was not measured is empty. */
type Line = Readonly<Partial<Record<(typeof COLUMNS)[number], string>>>;

const COLUMNS = [
  ...(["cluster", "what", "streams", "tokens/s, all decoding", "tokens/s, from the first request on"] as const),
  ...(["first token, ms: p50 / p99", "between tokens, ms: p50 / p99", "ms a step", "waits for experts"] as const),
  ...(["frames by memory / gRPC", "busiest holder by the mean", "remarks"] as const),
];

/** What was measured, line by line: each is printed when it is there, and all of them as one table at the end. */
export class EightTable {
  readonly #lines: Line[] = [];

  add(line: Line): void {
    this.#lines.push(line);
    console.log(
      COLUMNS.filter((column) => line[column] !== undefined)
        .map((column) => `${column}: ${line[column]}`)
        .join("; "),
    );
  }

  /** A level's line. `busiest`: of its expert rows. */
  level(cluster: string, what: string, level: StreamLevel, busiest: number): void {
    const { streams, found, wallMs, tokensPerSecond, firstMs, gapMs, steps } = level;
    const tokens = found.reduce((sum, { times }) => sum + times.length, 0);
    this.add({
      ...{ cluster, what, streams: String(streams), "tokens/s, all decoding": tokensPerSecond?.toFixed(0) ?? "-" },
      "tokens/s, from the first request on": ((1e3 * tokens) / wallMs).toFixed(0),
      "first token, ms: p50 / p99": `${firstMs.p50.toFixed(0)} / ${firstMs.p99.toFixed(0)}`,
      "between tokens, ms: p50 / p99": `${gapMs.p50.toFixed(2)} / ${gapMs.p99.toFixed(2)}`,
      "ms a step": ((1e3 * steps.seconds) / steps.count).toFixed(2),
      "waits for experts": `${((100 * steps.exchanged) / steps.seconds).toFixed(0)}%`,
      "frames by memory / gRPC": `${steps.byCards + steps.byMemory} / ${steps.byGrpc}`,
      "busiest holder by the mean": busiest.toFixed(2),
    });
  }

  toString(): string {
    const rows = [
      COLUMNS,
      COLUMNS.map(() => "---"),
      ...this.#lines.map((line) => COLUMNS.map((column) => line[column] ?? "")),
    ];
    return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  }
}
