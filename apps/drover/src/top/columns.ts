const GIB = 2 ** 30;

/** Bytes as GiB with two decimals, such as `49.13`; of small models with four. */
export function gib(bytes: number): string {
  const value = bytes / GIB;
  return value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2);
}

/** A whole number with thousands separated. */
export const whole = (value: number): string => Math.round(value).toLocaleString("en");

/** Lines of a table whose first row is its heading: columns of numbers stand to the right, others to the left. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  const isText: boolean[] = [];
  for (const [row, cells] of rows.entries()) {
    for (const [i, cell] of cells.entries()) {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
      if (i === 0 || (row > 0 && !NUMBER.test(cell))) isText[i] = true;
    }
  }
  return rows.map((cells) =>
    cells
      .map((cell, i) => (isText[i] === true ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

const NUMBER = /^(-?[\d.,]+|none|)$/;

/** Of a table or a sentence. */
const COLUMNS_MAX = 100;

/** A sentence in lines of at most 100 columns. */
export function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > COLUMNS_MAX) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}
