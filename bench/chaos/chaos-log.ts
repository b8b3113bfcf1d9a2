import type { ChildProcess } from "node:child_process";
import { appendFileSync } from "node:fs";
import type { Levels } from "./levels.ts";
import type { LongPause } from "./pauses.ts";

/** What happens to a cluster while it is struck, line by line in a file: its own words, and what was done to it. */
export class ChaosLog {
  readonly #file: string | undefined;

  /** Undefined: nothing is kept. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** All that a process says from now on. */
  hear(child: ChildProcess): void {
    if (this.#file === undefined) return;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => {
        for (const line of String(chunk).split("\n")) if (line.trim() !== "") this.note(line);
      });
  }

  note(line: string): void {
    this.#at(performance.now(), line);
  }

  pause({ stream, fromMs, toMs, blow }: LongPause): void {
    const times = `from ${clockTime(fromMs)} to ${clockTime(toMs)}, ${Math.round(fromMs - blow.atMs)} ms after it`;
    this.note(`? a ${stream} stream waited ${Math.round(toMs - fromMs)} ms at a killed ${blow.kind}: ${times}`);
  }

  /** What each process holds at a moment that has a name. */
  levels(when: string, { processes }: Levels): void {
    for (const { name, residentMiB, handleCount, socketCount } of processes)
      this.note(`= ${when} ${name}: ${residentMiB} MiB, ${handleCount} handles, ${socketCount} sockets`);
  }

  #at(ms: number, line: string): void {
    if (this.#file !== undefined) appendFileSync(this.#file, `${clockTime(ms)} ${line}\n`);
  }
}

/** The time of day of a moment on the monotonic scale. */
const clockTime = (ms: number): string => new Date(performance.timeOrigin + ms).toISOString().slice(11, 23);
