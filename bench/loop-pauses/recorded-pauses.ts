import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A time that a main loop did not turn: of which process, how long by the wall, and how much of it the thread itself computed, in milliseconds. */
export type Pause = Readonly<{ name: string; beganMs: number; pauseMs: number; ownMs: number }>;

/** What `loop-recorder.ts` writes down in the processes that are started with `env`. */
export class RecordedPauses implements Disposable {
  readonly env: Readonly<{ NODE_OPTIONS: string; LOOP_RECORD: string }>;
  readonly #folder = mkdtempSync(join(tmpdir(), "drover-loops-"));
  readonly #file = join(this.#folder, "pauses");

  constructor() {
    const recorder = join(import.meta.dirname, "loop-recorder.ts");
    this.env = { LOOP_RECORD: this.#file, NODE_OPTIONS: `--import=${recorder}` };
    this.clear();
  }

  clear(): void {
    writeFileSync(this.#file, "");
  }

  /** Those since it was cleared last. */
  get all(): readonly Pause[] {
    const lines = readFileSync(this.#file, "utf8").split("\n").filter(Boolean);
    return lines.map((line): Pause => JSON.parse(line));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The longest of them by the wall, or by what its thread computed; 0 of none. */
export const longest = (pauses: readonly Pause[], by: "pauseMs" | "ownMs"): number =>
  Math.max(0, ...pauses.map((pause) => pause[by]));
