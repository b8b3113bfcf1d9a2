import { type CharacterSet, characterSet, charactersOf, complement, union } from "../character-set.ts";
import { constraintFault } from "../constraint-fault.ts";
import { NESTING_MAX, PATTERN_CHARACTERS_MAX, REPEAT_MAX } from "../limits.ts";
import { CLASS_ESCAPES, CONTROL_ESCAPES, DOT, propertySet } from "./character-escapes.ts";
import type { Regex } from "./regex.ts";

/**
 * Reads a regular expression of ECMAScript's, of which it has what a grammar can say. Errors: `invalid_argument`, naming the place, for what is
 * none, and for looking back, references to groups, borders of words and flags.
 */
export function parseRegex(source: string, place: string): Regex {
  if (source.length > PATTERN_CHARACTERS_MAX) throw constraintFault(place, "is too large to be enforced");
  return new RegexReader(source, place).read();
}

/** `{3}`, `{3,}` or `{3,5}`. */
const COUNT = /^\{(\d{1,9})(,(\d{0,9}))?\}/;

/** One pass over the characters. */
class RegexReader {
  readonly #characters: readonly string[];
  readonly #place: string;
  #at = 0;
  #depth = 0;

  constructor(source: string, place: string) {
    this.#characters = Array.from(source);
    this.#place = place;
  }

  read(): Regex {
    const regex = this.#choice();
    if (this.#at < this.#characters.length) throw this.#fault("has a closing bracket too many");
    return regex;
  }

  #fault(sentence: string) {
    return constraintFault(this.#place, `is a pattern that ${sentence}`);
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string {
    const character = this.#next;
    if (character === undefined) throw this.#fault("ends too early");
    this.#at += 1;
    return character;
  }

  #takes(text: string): boolean {
    const found = Array.from(text).every((character, i) => this.#characters[this.#at + i] === character);
    if (found) this.#at += text.length;
    return found;
  }

  #choice(): Regex {
    const options = [this.#sequence()];
    while (this.#takes("|")) options.push(this.#sequence());
    const [only] = options;
    return only !== undefined && options.length === 1 ? only : { kind: "choice", options };
  }

  #sequence(): Regex {
    const parts: Regex[] = [];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")")
      parts.push(this.#counted(this.#atom()));
    return { kind: "sequence", parts };
  }

  #atom(): Regex {
    const character = this.#take();
    switch (character) {
      case "^":
        return { kind: "start" };
      case "$":
        return { kind: "end" };
      case ".":
        return { kind: "set", set: DOT };
      case "(":
        return this.#group();
      case "[":
        return { kind: "set", set: this.#class() };
      case "\\":
        return this.#anchor() ?? { kind: "set", set: this.#escape() };
      case "*":
      case "+":
      case "?":
        throw this.#fault("repeats nothing");
      default:
        return { kind: "set", set: charactersOf(character) };
    }
  }

  /** An anchor as Python and Rust write it. */
  #anchor(): Regex | undefined {
    if (this.#takes("A")) return { kind: "start" };
    return this.#takes("Z") || this.#takes("z") ? { kind: "end" } : undefined;
  }

  #group(): Regex {
    this.#depth += 1;
    if (this.#depth > NESTING_MAX) throw this.#fault("is nested too deeply");
    if (this.#takes("?")) {
      if (this.#takes("<=") || this.#takes("<!")) throw this.#fault("looks back, which cannot be enforced");
      const isNegated = this.#takes("!");
      if (isNegated || this.#takes("=")) return { kind: "look", negated: isNegated, ahead: this.#grouped() };
      const named = this.#takes("P<") || this.#takes("<");
      if (named) while (this.#take() !== ">");
      else if (!this.#takes(":")) throw this.#fault("has a group that cannot be enforced");
    }
    return this.#grouped();
  }

  #grouped(): Regex {
    const inner = this.#choice();
    if (!this.#takes(")")) throw this.#fault("has a group without an end");
    this.#depth -= 1;
    return inner;
  }

  /** The atom, as often as what follows it says. Taking as little as possible makes the same language. */
  #counted(atom: Regex): Regex {
    const count = this.#count();
    if (count === undefined) return atom;
    const [min, max] = count;
    if (max < min || min > REPEAT_MAX || (max > REPEAT_MAX && max !== Number.POSITIVE_INFINITY))
      throw this.#fault(`repeats a part more than ${REPEAT_MAX} times, or less than nothing`);
    this.#takes("?");
    if (atom.kind === "start" || atom.kind === "end") throw this.#fault("repeats an anchor");
    if (atom.kind === "look") throw this.#fault("repeats what takes nothing");
    return { kind: "repeat", part: atom, min, max };
  }

  #count(): readonly [min: number, max: number] | undefined {
    if (this.#takes("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#takes("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#takes("?")) return [0, 1];
    if (this.#next !== "{") return undefined;
    const found = COUNT.exec(this.#characters.slice(this.#at, this.#at + 24).join(""));
    if (found === null) return undefined;
    const [whole, min, range, max] = found;
    this.#at += whole.length;
    if (range === undefined) return [Number(min), Number(min)];
    return [Number(min), max === "" ? Number.POSITIVE_INFINITY : Number(max)];
  }

  #class(): CharacterSet {
    const negated = this.#takes("^");
    const sets: CharacterSet[] = [];
    while (!this.#takes("]")) {
      const first = this.#member();
      const isRange = this.#next === "-" && this.#characters[this.#at + 1] !== "]";
      if (!isRange) {
        sets.push(first);
        continue;
      }
      this.#at += 1;
      const last = this.#member();
      const [from, to] = [onlyPoint(first), onlyPoint(last)];
      if (from === undefined || to === undefined) sets.push(first, charactersOf("-"), last);
      else if (from > to) throw this.#fault("has a range whose end is before its begin");
      else sets.push(characterSet([[from, to]]));
    }
    const set = union(sets);
    return negated ? complement(set) : set;
  }

  #member(): CharacterSet {
    const character = this.#take();
    if (character !== "\\") return charactersOf(character);
    return this.#takes("b") ? charactersOf("\b") : this.#escape();
  }

  #escape(): CharacterSet {
    const letter = this.#take();
    const known = CLASS_ESCAPES.get(letter);
    if (known !== undefined) return known;
    const control = CONTROL_ESCAPES.get(letter);
    if (control !== undefined) return charactersOf(control);
    if (letter === "p" || letter === "P") return this.#property(letter === "P");
    if (letter === "x") return this.#point(this.#hex(2));
    if (letter === "u") return this.#unicode();
    if (letter === "c") return charactersOf(String.fromCodePoint((this.#take().codePointAt(0) ?? 0) % 32));
    if (/[A-Za-z0-9]/.test(letter)) throw this.#fault(`has \\${letter}, which cannot be enforced`);
    return charactersOf(letter);
  }

  #property(negated: boolean): CharacterSet {
    let name = "";
    if (this.#takes("{")) for (let c = this.#take(); c !== "}"; c = this.#take()) name += c;
    const set = propertySet(name, negated);
    if (set === undefined) throw this.#fault("names no Unicode property");
    return set;
  }

  #unicode(): CharacterSet {
    if (this.#takes("{")) {
      let digits = "";
      for (let c = this.#take(); c !== "}"; c = this.#take()) digits += c;
      return this.#point(digits);
    }
    const first = this.#hex(4);
    // Two halves of a surrogate pair are one character.
    if (/^d[89ab]/i.test(first) && this.#takes("\\u")) {
      const [high, low] = [Number.parseInt(first, 16), Number.parseInt(this.#hex(4), 16)];
      return charactersOf(String.fromCharCode(high, low));
    }
    return this.#point(first);
  }

  #hex(count: number): string {
    return Array.from({ length: count }, () => this.#take()).join("");
  }

  #point(digits: string): CharacterSet {
    const point = /^[0-9a-fA-F]{1,6}$/.test(digits) ? Number.parseInt(digits, 16) : Number.POSITIVE_INFINITY;
    if (point > 0x10ffff) throw this.#fault("names no character");
    return charactersOf(String.fromCodePoint(point));
  }
}

function onlyPoint({ ranges }: CharacterSet): number | undefined {
  const [range, another] = ranges;
  return range !== undefined && another === undefined && range[0] === range[1] ? range[0] : undefined;
}
