/**
 * A production of a grammar that gets its characters one at a time. It looks at `characters.char`, and consumes it with `yield`. A production
 * either stops on its last character or, where that takes a look ahead, behind it; each says which.
 */
export type Production<T> = Generator<undefined, T, undefined>;

/** One part of a candidate, ending before the offset `end` of its text: a call as it was written, or without a name something else. */
export type FoundCall = Readonly<{ name: string | undefined; arguments: string; end: number }>;

/** Text that stands for what was written from the offset `start` on. */
type Repair = Readonly<{ start: number; length: number; text: string }>;

/** What a production sees of the text, and how it says that the text is no call. */
export class Characters {
  /** The character that is looked at: one UTF-16 unit. */
  char = "";
  /** The candidate's text up to and with `char`; no longer kept once it is plain. */
  text = "";
  /** Offset of `char` from the candidate's begin. */
  offset = -1;
  depth = 0;
  /** The text cannot become a call any more, but is still one piece, inside which no call begins. */
  plain = false;
  /** `char` cannot stand here: the piece ends before it. */
  malformed = false;
  /** The piece is no call because it is too long, and for no other reason. */
  tooLong = false;
  readonly #repairs: Repair[] = [];

  /** What models write in place of JSON is taken for it: only where the piece is a call as far as it was read, and not in all JSON of a text. */
  get isLenient(): boolean {
    return !this.plain || this.tooLong;
  }

  /** Notes what should stand in place of the text from `start` on; in the order of the text. */
  repair(start: number, length: number, text: string): void {
    if (!this.plain) this.#repairs.push({ start, length, text });
  }

  /** The text of a place with its repairs. */
  repaired(start: number, end: number): string {
    let read = "";
    let at = start;
    for (const repair of this.#repairs) {
      if (repair.start < at || repair.start >= end) continue;
      read += this.text.slice(at, repair.start) + repair.text;
      at = repair.start + repair.length;
    }
    return read + this.text.slice(at, end);
  }

  /** A question of its own, because the compiler does not see that `char` changes with each `yield`. */
  isOneOf(chars: string): boolean {
    return chars.includes(this.char);
  }

  take(char: string): void {
    this.char = char;
    this.offset++;
    if (!this.plain) this.text += char;
  }
}

/** Never returns: whoever feeds the characters sees `malformed` and lets go. */
export function* refuse(characters: Characters): Production<never> {
  characters.malformed = true;
  while (true) yield;
}

/** Consumes white space; stops behind it. */
export function* space(characters: Characters): Production<void> {
  while (isSpace(characters.char)) yield;
}

export function isSpace(char: string): boolean {
  return char === " " || char === "\n" || char === "\r" || char === "\t";
}

/** Stops on the last character of `literal`, whose first one is looked at. */
export function* exactly(characters: Characters, literal: string): Production<void> {
  for (let i = 0; i < literal.length; i++) {
    if (i > 0) yield;
    if (characters.char !== literal[i]) yield* refuse(characters);
  }
}
