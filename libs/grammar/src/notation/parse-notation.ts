import { ANY_CHARACTER, type CharacterSet, characterSet, charactersOf, complement, union } from "../character-set.ts";
import { constraintFault } from "../constraint-fault.ts";
import { characters, choice, type Expression, type Rules, repeat, rule, sequence, text } from "../expression.ts";
import { NESTING_MAX, REPEAT_MAX } from "../limits.ts";

/** A rule's name and what follows it. */
const RULE_HEAD = /^([A-Za-z_][\w.-]*)[ \t]*::=/;
const NAME = /^[A-Za-z_][\w.-]*/;
const COUNT = /^\{\s*(\d{1,9})\s*(,\s*(\d{0,9})\s*)?\}/;

/** Letters behind a backslash that are other characters. */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["f", "\f"],
  ["0", "\0"],
]);
/** Digits of a code point behind a letter. */
const DIGITS: ReadonlyMap<string, number> = new Map([
  ["x", 2],
  ["u", 4],
  ["U", 8],
]);

/**
 * Reads a grammar in the notation that llama.cpp (GBNF) and XGrammar (EBNF) share: `name ::= ...`, of which one is `root`. Errors:
 * `invalid_argument`, naming the place and the line, for what is none, for rules that are not there, and for rules that begin with themselves.
 */
export function parseNotation(source: string, place: string): Rules {
  const rules = new NotationReader(source, place).read();
  if (!rules.has("root")) throw constraintFault(place, "is no grammar in GBNF: it needs a rule `root ::= ...`");
  for (const [name, body] of rules)
    for (const used of namesIn(body))
      if (!rules.has(used)) throw constraintFault(place, `has no rule ${used}, which ${name} uses`);
  refuseLeftRecursion(rules, place);
  return rules;
}

/** One pass over the text. */
class NotationReader {
  readonly #source: string;
  readonly #place: string;
  readonly #rules = new Map<string, Expression>();
  #at = 0;
  #depth = 0;

  constructor(source: string, place: string) {
    this.#source = source;
    this.#place = place;
  }

  read(): Rules {
    this.#space();
    while (this.#at < this.#source.length) {
      const [head, name] = RULE_HEAD.exec(this.#rest(200)) ?? [];
      if (head === undefined || name === undefined) throw this.#fault("needs a rule `name ::= ...`");
      if (this.#rules.has(name)) throw this.#fault(`has the rule ${name} twice`);
      this.#at += head.length;
      this.#rules.set(name, this.#choice());
    }
    return this.#rules;
  }

  #rest(length: number): string {
    return this.#source.slice(this.#at, this.#at + length);
  }

  #fault(sentence: string) {
    const line = this.#source.slice(0, this.#at).split("\n").length;
    return constraintFault(this.#place, `is no grammar in GBNF: line ${line} ${sentence}`);
  }

  /** White space and comments. */
  #space(): void {
    while (true) {
      const char = this.#source.charAt(this.#at);
      if (char === "#") while (this.#at < this.#source.length && this.#source.charAt(this.#at) !== "\n") this.#at += 1;
      else if (char !== "" && " \t\r\n".includes(char)) this.#at += 1;
      else return;
    }
  }

  #takes(token: string): boolean {
    if (!this.#source.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #choice(): Expression {
    const options = [this.#sequence()];
    while (this.#takes("|")) options.push(this.#sequence());
    return choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (true) {
      this.#space();
      if (this.#at >= this.#source.length || "|)".includes(this.#source.charAt(this.#at))) break;
      if (RULE_HEAD.test(this.#rest(200))) break;
      parts.push(this.#counted(this.#atom()));
    }
    return sequence(...parts);
  }

  #atom(): Expression {
    if (this.#takes('"')) return this.#text();
    if (this.#takes("[")) return characters(this.#class());
    if (this.#takes(".")) return characters(ANY_CHARACTER);
    if (this.#takes("(")) {
      this.#depth += 1;
      if (this.#depth > NESTING_MAX) throw this.#fault("is nested too deeply");
      const inner = this.#choice();
      if (!this.#takes(")")) throw this.#fault("lacks a closing bracket");
      this.#depth -= 1;
      return inner;
    }
    const [name] = NAME.exec(this.#rest(200)) ?? [];
    if (name === undefined) throw this.#fault("has a character that means nothing here");
    this.#at += name.length;
    return rule(name);
  }

  #counted(atom: Expression): Expression {
    if (this.#takes("*")) return repeat(atom, 0, Number.POSITIVE_INFINITY);
    if (this.#takes("+")) return repeat(atom, 1, Number.POSITIVE_INFINITY);
    if (this.#takes("?")) return repeat(atom, 0, 1);
    const [whole, least, range, most] = COUNT.exec(this.#rest(40)) ?? [];
    if (whole === undefined) return atom;
    this.#at += whole.length;
    const min = Number(least);
    const max = range === undefined ? min : most === "" ? Number.POSITIVE_INFINITY : Number(most);
    if (max < min || min > REPEAT_MAX || (max > REPEAT_MAX && max !== Number.POSITIVE_INFINITY))
      throw this.#fault(`repeats a part more than ${REPEAT_MAX} times, or less than nothing`);
    return repeat(atom, min, max);
  }

  #text(): Expression {
    let value = "";
    while (!this.#takes('"')) value += this.#character();
    return text(value);
  }

  #class(): CharacterSet {
    const negated = this.#takes("^");
    const sets: CharacterSet[] = [];
    while (!this.#takes("]")) {
      const first = this.#character();
      if (this.#source.charAt(this.#at) !== "-" || this.#source.charAt(this.#at + 1) === "]") {
        sets.push(charactersOf(first));
        continue;
      }
      this.#at += 1;
      const [from, to] = [first.codePointAt(0) ?? 0, this.#character().codePointAt(0) ?? 0];
      if (from > to) throw this.#fault("has a range whose end is before its begin");
      sets.push(characterSet([[from, to]]));
    }
    return negated ? complement(union(sets)) : union(sets);
  }

  #character(): string {
    const point = this.#source.codePointAt(this.#at);
    if (point === undefined || point === 0x0a) throw this.#fault("ends within a text or a class");
    const character = String.fromCodePoint(point);
    this.#at += character.length;
    if (character !== "\\") return character;
    const letter = this.#source.charAt(this.#at);
    this.#at += 1;
    const count = DIGITS.get(letter);
    if (count === undefined) return ESCAPES.get(letter) ?? letter;
    const digits = this.#rest(count);
    const value = /^[0-9a-fA-F]+$/.test(digits) && digits.length === count ? Number.parseInt(digits, 16) : Infinity;
    if (value > 0x10ffff) throw this.#fault("names no character");
    this.#at += count;
    return String.fromCodePoint(value);
  }
}

function* namesIn(expression: Expression): Iterable<string> {
  if (expression.kind === "rule") yield expression.name;
  else if (expression.kind === "sequence") for (const part of expression.parts) yield* namesIn(part);
  else if (expression.kind === "choice") for (const option of expression.options) yield* namesIn(option);
  else if (expression.kind === "repeat") yield* namesIn(expression.part);
}

/** A rule that begins with itself asks for ever more of itself before it has read anything. */
function refuseLeftRecursion(rules: Rules, place: string): void {
  const empty = emptyRules(rules);
  const first = new Map([...rules].map(([name, body]) => [name, [...firstNames(body, empty)]]));
  for (const name of rules.keys()) {
    const reached = new Set(first.get(name));
    for (const next of reached) for (const further of first.get(next) ?? []) reached.add(further);
    if (reached.has(name)) throw constraintFault(place, `has the rule ${name} that begins with itself`);
  }
}

function emptyRules(rules: Rules): ReadonlySet<string> {
  const empty = new Set<string>();
  for (let before = -1; before < empty.size; ) {
    before = empty.size;
    for (const [name, body] of rules) if (mayBeEmpty(body, empty)) empty.add(name);
  }
  return empty;
}

function mayBeEmpty(expression: Expression, empty: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case "text":
      return expression.text === "";
    case "characters":
      return false;
    case "rule":
      return empty.has(expression.name);
    case "sequence":
      return expression.parts.every((part) => mayBeEmpty(part, empty));
    case "choice":
      return expression.options.some((option) => mayBeEmpty(option, empty));
    case "repeat":
      return expression.min === 0 || mayBeEmpty(expression.part, empty);
  }
}

/** Rules that a text of the expression may begin with. */
function* firstNames(expression: Expression, empty: ReadonlySet<string>): Iterable<string> {
  if (expression.kind === "rule") yield expression.name;
  else if (expression.kind === "choice") for (const option of expression.options) yield* firstNames(option, empty);
  else if (expression.kind === "repeat") yield* firstNames(expression.part, empty);
  else if (expression.kind === "sequence")
    for (const part of expression.parts) {
      yield* firstNames(part, empty);
      if (!mayBeEmpty(part, empty)) return;
    }
}
