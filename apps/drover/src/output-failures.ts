import type { Writable } from "node:stream";

/**
 * What the outputs of this process fail by: a full disk, or a reader that has gone. No command ends because of it before its work is done, but for
 * those of which nothing is left then: `onDeaf` is called when nobody reads the first output any more.
 */
export class OutputFailures {
  readonly #first = new Map<Writable, NodeJS.ErrnoException>();

  constructor(outputs: readonly Writable[], onDeaf: () => void = () => undefined) {
    for (const output of outputs)
      output.on("error", (error: NodeJS.ErrnoException) => {
        if (!this.#first.has(output)) this.#first.set(output, error);
        if (output === outputs[0] && error.code === "EPIPE") onDeaf();
      });
  }

  /** The first failure of an output, once it has one. */
  of(output: Writable): NodeJS.ErrnoException | undefined {
    return this.#first.get(output);
  }
}
