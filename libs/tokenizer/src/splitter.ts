/** Cuts a text into the pieces that BPE works on. */
export interface Splitter {
  /** Calls `take` with each piece's bounds in UTF-16 units, in order. Well-formed text only. */
  split(text: string, from: number, to: number, take: (from: number, to: number) => void): void;
}
