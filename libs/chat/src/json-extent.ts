/** A member of the outermost object: where its value stands in the text, and how many values are in it, itself included. */
export type JsonMember = Readonly<{ start: number; end: number; valueCount: number }>;

/** How large a JSON text is before it is parsed. */
export type JsonExtent = Readonly<{
  /** Objects and lists within each other. */
  depth: number;
  /** Objects, lists, texts, names and words. Numbers are not counted: in a list they take eight bytes and no time. */
  valueCount: number;
  /** The outermost object's members by name; of several of one name the last, as JSON.parse has it. Empty where the text is no object. */
  members: ReadonlyMap<string, JsonMember>;
}>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Longer names of members are nobody's. */
const NAME_CHARACTERS_MAX = 256;

/** A walk over a text's marks; what is between them is left to the parser. */
class ExtentScan {
  depth = 0;
  depthMax = 0;
  valueCount = 0;
  readonly members = new Map<string, JsonMember>();
  #name: string | undefined;
  #start = 0;
  #countBefore = 0;

  open(): void {
    this.valueCount += 1;
    this.depth += 1;
    if (this.depth > this.depthMax) this.depthMax = this.depth;
  }

  /** A text at the outermost level, which may be a name. */
  named(name: string): void {
    this.#name = name;
  }

  begin(start: number): void {
    this.#start = start;
    this.#countBefore = this.valueCount;
  }

  end(end: number): void {
    if (this.#name !== undefined && this.#start > 0)
      this.members.set(this.#name, { start: this.#start, end, valueCount: this.valueCount - this.#countBefore });
    this.#name = undefined;
    this.#start = 0;
  }

  get isNaming(): boolean {
    return this.depth === 1 && this.#start === 0;
  }
}

/** Measures a text in one pass without keeping any of it. Of a text that is no JSON it says something; the parser refuses it. */
export function jsonExtent(text: string): JsonExtent {
  const scan = new ExtentScan();
  const isObject = /^\s*\{/.test(text);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const end = endOfText(text, i);
      scan.valueCount += 1;
      if (scan.isNaming && end - i <= NAME_CHARACTERS_MAX) scan.named(nameAt(text, i, end));
      i = end;
    } else if (code === COMMA) {
      if (scan.depth === 1) scan.end(i);
    } else if (code === COLON) {
      if (scan.isNaming) scan.begin(i + 1);
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      scan.open();
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      if (scan.depth === 1) scan.end(i);
      scan.depth -= 1;
    } else if (code === 0x74 || code === 0x66 || code === 0x6e) {
      // `t`, `f` or `n` begin a word; of its other letters only those of `false` and `null` could be taken for another's first.
      scan.valueCount += 1;
    }
  }
  return { depth: scan.depthMax, valueCount: scan.valueCount, members: isObject ? scan.members : new Map() };
}

/** The index of the quote that ends the text which begins at `start`; the last one where none does. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length - 1;
}

/** A name as its author meant it: names may be written with escapes too. */
function nameAt(text: string, start: number, end: number): string {
  const written = text.slice(start + 1, end);
  if (!written.includes("\\")) return written;
  try {
    return String(JSON.parse(text.slice(start, end + 1)));
  } catch {
    // It is no name then, and the text no JSON.
    return written;
  }
}
