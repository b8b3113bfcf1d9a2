import { StandardError } from "@drover/process";
import { readableLine } from "./up/child-log.ts";
import { describeExit, type SupervisedEvent } from "./up/supervised.ts";

const output = new StandardError({
  onRegained: (lineCount) => say(`${lineCount} lines could not be written here, as on a full disk`),
});

/** One line for the person at the terminal. */
export function say(text: string): void {
  output.write(`drover: ${text}\n`);
}

/** Says what has happened to a child, and what it logs: all of it when verbose, otherwise warnings and errors. */
export function report(event: SupervisedEvent, verbose: boolean): void {
  const text = textOf(event, verbose);
  if (text !== undefined) say(text);
}

function textOf(event: SupervisedEvent, verbose: boolean): string | undefined {
  switch (event.kind) {
    case "progress":
      return `${event.name}: ${event.text}`;
    case "ready":
      return `${event.name}: ${event.again ? "is back" : "ready"}`;
    case "died":
      return `${event.name}: ended (${describeExit(event.exit)}), starting it again in ${event.restartMs} ms`;
    case "line":
      if (event.quiet && !verbose) return undefined;
      return verbose ? `${event.name}: ${event.text}` : readableLine(event.name, event.text);
    default:
      return undefined;
  }
}
