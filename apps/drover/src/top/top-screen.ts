/** The part of a terminal that is written to. */
export type TopOutput = Readonly<{
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
}>;

const ESCAPE = "\u001b[";
/** The screen that programs like editors use: what was there before comes back. */
const ENTER = `${ESCAPE}?1049h${ESCAPE}?25l`;
const LEAVE = `${ESCAPE}?25h${ESCAPE}?1049l`;
const HOME = `${ESCAPE}H`;
const CLEAR_LINE = `${ESCAPE}K`;
const CLEAR_BELOW = `${ESCAPE}J`;

/** Shows page after page: in place on a terminal, cut to its size; one below the other elsewhere. Disposing it gives the terminal back. */
export class TopScreen implements Disposable {
  readonly #output: TopOutput;
  #shown = false;

  constructor(output: TopOutput) {
    this.#output = output;
  }

  show(lines: readonly string[]): void {
    const { isTTY, columns = 80, rows = 24 } = this.#output;
    if (isTTY !== true) {
      this.#output.write(`${this.#shown ? "\n" : ""}${lines.join("\n")}\n`);
      this.#shown = true;
      return;
    }
    const visible = cut(lines, rows).map((line) => `${narrowed(printable(line), columns)}${CLEAR_LINE}`);
    this.#output.write(`${this.#shown ? "" : ENTER}${HOME}${visible.join("\n")}${CLEAR_BELOW}`);
    this.#shown = true;
  }

  [Symbol.dispose](): void {
    if (this.#shown && this.#output.isTTY === true) this.#output.write(LEAVE);
  }
}

/** Of a page that is longer than the screen, the last line says so. */
function cut(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  return [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines: --once prints them all`];
}

const narrowed = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;

/** Names come from other processes: none of them moves the cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const printable = (line: string): string => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
