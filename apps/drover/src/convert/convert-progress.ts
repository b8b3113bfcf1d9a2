import type { ConversionProgress } from "@drover/checkpoint";
import { CONVERT_NOTICE_MS } from "../limits.ts";

/** Where progress is shown. */
export type ProgressOutput = Readonly<{
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}>;

const BAR_WIDTH = 24;

/** Shows how far a conversion is: one line that is written over at a terminal, otherwise a line now and then. */
export class ProgressView {
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  readonly #beganMs: number;
  #shownMs = Number.NEGATIVE_INFINITY;

  /** `now` is a clock in milliseconds. */
  constructor(output: ProgressOutput, now: () => number) {
    this.#output = output;
    this.#now = now;
    this.#beganMs = now();
  }

  show(progress: ConversionProgress): void {
    const nowMs = this.#now();
    const text = progressText(progress, nowMs - this.#beganMs);
    if (this.#output.isTTY) {
      // Erased to its end, for the line before may have been longer.
      this.#output.write(`\r${text.slice(0, (this.#output.columns ?? 80) - 1)}\x1b[K`);
    } else if (nowMs - this.#shownMs >= CONVERT_NOTICE_MS || progress.file === null) {
      this.#output.write(`drover: ${text}\n`);
    } else return;
    this.#shownMs = nowMs;
  }

  /** Leaves the last line as it is and goes to the next. */
  end(): void {
    if (this.#output.isTTY && this.#shownMs !== Number.NEGATIVE_INFINITY) this.#output.write("\n");
  }
}

/** `[######------]  43%  3.20 of 8.10 GiB, 2 min left, layers/001/shared.weights`. The estimate rests on what this run has written. */
export function progressText(
  { file, doneBytes, totalBytes, keptBytes }: ConversionProgress,
  elapsedMs: number,
): string {
  const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
  const filled = Math.floor(share * BAR_WIDTH);
  const bar = `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
  const written = doneBytes - keptBytes;
  const leftMs = written > 0 ? (elapsedMs * (totalBytes - doneBytes)) / written : undefined;
  const facts = [
    `${bytesText(doneBytes, totalBytes)} of ${bytesText(totalBytes, totalBytes)} ${unitOf(totalBytes).name}`,
    ...(file === null
      ? [`done in ${durationText(elapsedMs)}`]
      : leftMs === undefined
        ? []
        : [`${durationText(leftMs)} left`]),
    ...(file === null ? [] : [file]),
  ];
  return `${bar} ${String(Math.floor(100 * share)).padStart(3)}%  ${facts.join(", ")}`;
}

function unitOf(byteCount: number): { name: string; bytes: number } {
  return byteCount < 2 ** 30 ? { name: "MiB", bytes: 2 ** 20 } : { name: "GiB", bytes: 2 ** 30 };
}

const bytesText = (byteCount: number, totalBytes: number) => (byteCount / unitOf(totalBytes).bytes).toFixed(2);

function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
