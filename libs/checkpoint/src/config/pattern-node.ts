/** A part of a regular expression. */
export type PatternNode =
  | Readonly<{ kind: "character"; isOf: (character: string) => boolean }>
  | Readonly<{ kind: "edge"; edge: "begins" | "ends" }>
  | Readonly<{ kind: "sequence"; parts: readonly PatternNode[] }>
  | Readonly<{ kind: "choice"; options: readonly PatternNode[] }>
  /** `most` is undefined where there is no end. */
  | Readonly<{ kind: "repeat"; part: PatternNode; least: number; most: number | undefined }>;

/** Characters of a pattern, levels of its groups, and repetitions that it may count. */
const CHARACTERS_MAX = 1000;
const GROUP_DEPTH_MAX = 20;
const COUNT_MAX = 100;

const CLASSES: Readonly<Record<string, (character: string) => boolean>> = {
  d: (character) => /^\d$/u.test(character),
  D: (character) => !/^\d$/u.test(character),
  w: (character) => /^\w$/u.test(character),
  W: (character) => !/^\w$/u.test(character),
  s: (character) => /^\s$/u.test(character),
  S: (character) => !/^\s$/u.test(character),
};

/** Reads a regular expression as Python writes it. `fail` gets what is not known of it. */
export function parsePattern(pattern: string, fail: (what: string) => never): PatternNode {
  return new PatternParser(pattern, fail).whole();
}

class PatternParser {
  readonly #pattern: string;
  readonly #fail: (what: string) => never;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, fail: (what: string) => never) {
    this.#pattern = pattern;
    this.#fail = fail;
    if (pattern.length > CHARACTERS_MAX)
      fail(`has a pattern of ${pattern.length} characters, more than ${CHARACTERS_MAX}`);
  }

  whole(): PatternNode {
    const node = this.#choice();
    if (this.#at < this.#pattern.length) this.#refuse("a bracket that closes nothing");
    return node;
  }

  #refuse(what: string): never {
    return this.#fail(`has the pattern ${JSON.stringify(this.#pattern)} with ${what}, which Drover does not read`);
  }

  #take(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #next(): string {
    if (this.#at >= this.#pattern.length) this.#refuse("an end in its middle");
    return this.#pattern.charAt(this.#at++);
  }

  #choice(): PatternNode {
    const options: PatternNode[] = [];
    do options.push(this.#sequence());
    while (this.#take("|"));
    return { kind: "choice", options };
  }

  #sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#pattern.length && !"|)".includes(this.#pattern.charAt(this.#at)))
      parts.push(this.#repeated(this.#atom()));
    return { kind: "sequence", parts };
  }

  /** What stands behind an atom and says how often; that it should be as rarely as possible changes nothing here. */
  #repeated(part: PatternNode): PatternNode {
    const counts = this.#counts();
    if (counts === undefined) return part;
    if (part.kind === "edge") this.#refuse("an edge that is repeated");
    this.#take("?");
    if (this.#counts() !== undefined || this.#take("+")) this.#refuse("a repetition of a repetition");
    return { kind: "repeat", part, ...counts };
  }

  #counts(): { least: number; most: number | undefined } | undefined {
    if (this.#take("*")) return { least: 0, most: undefined };
    if (this.#take("+")) return { least: 1, most: undefined };
    if (this.#take("?")) return { least: 0, most: 1 };
    const [whole, least, comma, most] = /^\{(\d*)(,?)(\d*)\}/.exec(this.#pattern.slice(this.#at, this.#at + 12)) ?? [];
    if (whole === undefined || whole === "{}") return undefined;
    this.#at += whole.length;
    const from = Number(least);
    const to = comma === "" ? from : most === "" ? undefined : Number(most);
    if (Math.max(from, to ?? from) > COUNT_MAX || (to ?? from) < from) this.#refuse(whole);
    return { least: from, most: to };
  }

  #atom(): PatternNode {
    const character = this.#next();
    if (character === "(") return this.#group();
    if (character === "[") return this.#set();
    if (character === "^") return { kind: "edge", edge: "begins" };
    if (character === "$") return { kind: "edge", edge: "ends" };
    if (character === ".") return { kind: "character", isOf: (one) => one !== "\n" };
    if (character === "\\") return { kind: "character", isOf: this.#escaped() };
    if ("*+?".includes(character)) this.#refuse("a repetition of nothing");
    return { kind: "character", isOf: (one) => one === character };
  }

  #group(): PatternNode {
    if (!this.#take("?:") && this.#take("?")) this.#refuse("a lookaround, a named group or a flag");
    if (++this.#depth > GROUP_DEPTH_MAX) this.#refuse(`groups deeper than ${GROUP_DEPTH_MAX} levels`);
    const node = this.#choice();
    if (!this.#take(")")) this.#refuse("a bracket that is not closed");
    this.#depth--;
    return node;
  }

  #escaped(): (character: string) => boolean {
    const character = this.#next();
    const isOf = CLASSES[character];
    if (isOf !== undefined) return isOf;
    if (/[A-Za-z0-9]/.test(character)) this.#refuse(`\\${character}`);
    return (one) => one === character;
  }

  #set(): PatternNode {
    const isNegated = this.#take("^");
    const tests: ((character: string) => boolean)[] = [];
    do {
      const from = this.#next();
      if (from === "\\") {
        tests.push(this.#escaped());
        continue;
      }
      const isRange = this.#pattern.charAt(this.#at) === "-" && this.#pattern.charAt(this.#at + 1) !== "]";
      if (!isRange) {
        tests.push((one) => one === from);
        continue;
      }
      this.#at++;
      const to = this.#next();
      if (to === "\\" || to < from) this.#refuse("a range that has no end");
      tests.push((one) => one >= from && one <= to);
    } while (!this.#take("]"));
    return { kind: "character", isOf: (one) => tests.some((test) => test(one)) !== isNegated };
  }
}
