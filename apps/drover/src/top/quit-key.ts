import { DroverError } from "@drover/core";

/** The part of a terminal that is read from. */
export type TopInput = Readonly<{
  isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  on(event: "data", listener: (text: Buffer | string) => void): unknown;
  pause(): unknown;
}>;

const CONTROL_C = "\u0003";

/** The key that ends a page in place: q, or Ctrl-C. It reads from the terminal until it is disposed; of what is no terminal it reads nothing. */
export class QuitKey implements Disposable {
  readonly #input: TopInput;
  readonly #pressed = new AbortController();

  constructor(input: TopInput) {
    this.#input = input;
    if (input.isTTY !== true) return;
    input.setRawMode?.(true);
    input.on("data", (text) => {
      const keys = String(text);
      if (/q/i.test(keys) || keys.includes(CONTROL_C))
        this.#pressed.abort(new DroverError("cancelled", "it was told to end"));
    });
  }

  get pressed(): AbortSignal {
    return this.#pressed.signal;
  }

  [Symbol.dispose](): void {
    if (this.#input.isTTY !== true) return;
    this.#input.setRawMode?.(false);
    this.#input.pause();
  }
}
