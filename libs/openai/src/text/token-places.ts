/** Where each token of a choice has its text, and which tokens have been seen: text may be held back, and what a stop string cuts off never comes. */
export class TokenPlaces {
  /** Where those that were not seen yet begin, in UTF-16 units. */
  readonly #unseen: number[] = [];
  #readLength = 0;
  #readCodePoints = 0;
  #givenLength = 0;

  /** The next token, with the characters that are complete by it. Returns the code points before its own text. */
  read(text: string): number {
    const offset = this.#readCodePoints;
    this.#unseen.push(this.#readLength);
    this.#readLength += text.length;
    this.#readCodePoints += codePointCount(text);
    return offset;
  }

  /** The next text that is given. Returns how many more tokens have some of theirs in it; a part of a character is seen with its end. */
  give(text: string): number {
    this.#givenLength += text.length;
    const seen = this.#unseen.findIndex((start) => start >= this.#givenLength);
    return this.#unseen.splice(0, seen < 0 ? this.#unseen.length : seen).length;
  }
}

/** Characters as Python and OpenAI count them: UTF-16 units, but one for a pair of surrogates. */
export function codePointCount(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xd800 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) continue;
    count--;
    i++;
  }
  return count;
}
