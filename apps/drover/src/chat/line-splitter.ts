import { LINE_CHARACTERS_MAX } from "../limits.ts";

/** Cuts a stream of text into lines; what is longer than a line may be is dropped from its end. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #charactersMax: number;
  #rest = "";

  constructor(onLine: (line: string) => void, charactersMax = LINE_CHARACTERS_MAX) {
    this.#onLine = onLine;
    this.#charactersMax = charactersMax;
  }

  push(text: string): void {
    const parts = text.split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      this.#emit(this.#rest + part);
      this.#rest = "";
    }
    this.#rest = (this.#rest + last).slice(0, this.#charactersMax);
  }

  /** The stream has ended: a last line needs no line feed. */
  end(): void {
    if (this.#rest !== "") this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    this.#onLine(line.slice(0, this.#charactersMax).replace(/\r$/, ""));
  }
}
