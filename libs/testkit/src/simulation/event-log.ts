/** What has happened in a simulated world, as one number that a replay must come to again; the last lines are kept for who reads a failure. */
export class EventLog {
  readonly #kept: number;
  readonly #lines: string[] = [];
  #high = 0x811c9dc5;
  #low = 0x01000193;
  #count = 0;

  /** `kept`: how many of the last lines can be read again. */
  constructor(kept: number) {
    this.#kept = kept;
  }

  get count(): number {
    return this.#count;
  }

  /** The last lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines.slice(-this.#kept);
  }

  /** Of everything so far, in order. */
  get hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  add(nowMs: number, line: string): void {
    this.#count += 1;
    const text = `${nowMs.toFixed(3)} ${line}`;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      this.#high = Math.imul(this.#high ^ unit, 0x01000193);
      this.#low = Math.imul(this.#low ^ unit, 0x85ebca6b) ^ (this.#low >>> 15);
    }
    if (this.#kept === 0) return;
    this.#lines.push(text);
    if (this.#lines.length >= 2 * this.#kept) this.#lines.splice(0, this.#lines.length - this.#kept);
  }
}

/** A few letters that tell one message's bytes from another's. */
export function digestOf(bytes: Uint8Array): string {
  let word = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) word = Math.imul(word ^ (bytes[i] ?? 0), 0x01000193);
  return (word >>> 0).toString(36);
}
