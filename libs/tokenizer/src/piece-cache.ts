import { CACHE_SLOTS, CACHED_PIECE_IDS_MAX, CACHED_PIECE_UNITS_MAX } from "./limits.ts";
import type { TokenBuffer } from "./token-buffer.ts";

/** Remembers the ids of short pieces by their characters. Each has one slot: a newer piece takes an older one's place. */
export class PieceCache {
  readonly #units = new Uint16Array(CACHE_SLOTS * CACHED_PIECE_UNITS_MAX);
  readonly #ids = new Uint32Array(CACHE_SLOTS * CACHED_PIECE_IDS_MAX);
  readonly #unitCounts = new Uint8Array(CACHE_SLOTS);
  readonly #idCounts = new Uint8Array(CACHE_SLOTS);

  /** The slot of `text[from, to)`, or -1 for a piece that is too long. */
  slotOf(text: string, from: number, to: number): number {
    if (to - from > CACHED_PIECE_UNITS_MAX) return -1;
    let hash = to - from;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x5bd1e995);
    hash ^= hash >>> 15;
    return (hash ^ (hash >>> 7)) & (CACHE_SLOTS - 1);
  }

  /** Appends the piece's ids; false when the slot does not have them. */
  recall(slot: number, text: string, from: number, to: number, out: TokenBuffer): boolean {
    const count = to - from;
    if (this.#unitCounts[slot] !== count) return false;
    const units = this.#units;
    const base = slot * CACHED_PIECE_UNITS_MAX;
    for (let i = 0; i < count; i++) if (units[base + i] !== text.charCodeAt(from + i)) return false;
    const ids = slot * CACHED_PIECE_IDS_MAX;
    const idCount = this.#idCounts[slot] ?? 0;
    for (let i = 0; i < idCount; i++) out.push(this.#ids[ids + i] ?? 0);
    return true;
  }

  /** Remembers that the ids from `firstId` to the end of `out` are the piece's; nothing when there are too many. */
  keep(slot: number, text: string, from: number, to: number, out: TokenBuffer, firstId: number): void {
    const idCount = out.length - firstId;
    if (idCount > CACHED_PIECE_IDS_MAX) return;
    this.#unitCounts[slot] = to - from;
    this.#idCounts[slot] = idCount;
    for (let i = 0; i < to - from; i++) this.#units[slot * CACHED_PIECE_UNITS_MAX + i] = text.charCodeAt(from + i);
    for (let i = 0; i < idCount; i++) this.#ids[slot * CACHED_PIECE_IDS_MAX + i] = out.at(firstId + i);
  }
}
