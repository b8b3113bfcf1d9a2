/** A byte string's hash goes on from its prefix's: `hash(ab) = hash(a) * FACTOR + b + 1`. */
const FACTOR = 0x01000193;

/** Tokens' bytes by id, and ids by bytes, in memory that threads can share. */
export class ByteStrings {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Where each id's bytes begin; one more than there are ids. */
  readonly offsets: Uint32Array<SharedArrayBuffer>;
  /** Open addressing; an id plus 1, or 0 for an empty slot. */
  readonly index: Uint32Array<SharedArrayBuffer>;

  private constructor(parts: Pick<ByteStrings, "bytes" | "offsets" | "index">) {
    this.bytes = parts.bytes;
    this.offsets = parts.offsets;
    this.index = parts.index;
  }

  /** The strings in another thread's memory. */
  static over(parts: Pick<ByteStrings, "bytes" | "offsets" | "index">): ByteStrings {
    return new ByteStrings(parts);
  }

  /** Lays the strings out by id; only ids for which `isFound` holds can be found by their bytes. */
  static of(strings: ReadonlyArray<Uint8Array | undefined>, isFound: (id: number) => boolean): ByteStrings {
    const offsets = new Uint32Array(new SharedArrayBuffer((strings.length + 1) * 4));
    let total = 0;
    for (const [id, string] of strings.entries()) {
      total += string?.length ?? 0;
      offsets[id + 1] = total;
    }
    const bytes = new Uint8Array(new SharedArrayBuffer(total));
    const index = new Uint32Array(new SharedArrayBuffer(4 * 2 ** Math.ceil(Math.log2(2 * strings.length + 2))));
    for (const [id, string] of strings.entries()) {
      if (string === undefined) continue;
      bytes.set(string, offsets[id]);
      if (!isFound(id)) continue;
      let at = mixed(hashOf(string, 0, string.length)) & (index.length - 1);
      while (index[at] !== 0) at = (at + 1) & (index.length - 1);
      index[at] = id + 1;
    }
    return new ByteStrings({ bytes, offsets, index });
  }

  get count(): number {
    return this.offsets.length - 1;
  }

  lengthOf(id: number): number {
    return (this.offsets[id + 1] ?? 0) - (this.offsets[id] ?? 0);
  }

  /** A view of an id's bytes; empty for ids that mean nothing. */
  of(id: number): Uint8Array {
    return this.bytes.subarray(this.offsets[id] ?? 0, this.offsets[id + 1] ?? 0);
  }

  /** The id of `source[from, to)`, whose hash is `hash`; -1 where there is none. */
  find(source: Uint8Array, from: number, to: number, hash = hashOf(source, from, to)): number {
    const { bytes, offsets, index } = this;
    const mask = index.length - 1;
    for (let at = mixed(hash) & mask; ; at = (at + 1) & mask) {
      const id = (index[at] ?? 0) - 1;
      if (id < 0) return -1;
      const start = offsets[id] ?? 0;
      if ((offsets[id + 1] ?? 0) - start !== to - from) continue;
      let i = 0;
      while (from + i < to && bytes[start + i] === source[from + i]) i++;
      if (from + i === to) return id;
    }
  }
}

/** A byte string's hash before it is mixed. */
function hashOf(source: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let i = from; i < to; i++) hash = (Math.imul(hash, FACTOR) + (source[i] ?? 0) + 1) | 0;
  return hash;
}

/** Hashes of all suffixes from those of all prefixes: `out[k]` is the hash of what follows the first k bytes. */
export function splitHashes(source: Uint8Array, prefixes: Int32Array, suffixes: Int32Array): void {
  const n = source.length;
  let hash = 0;
  let power = 1;
  for (let i = 0; i < n; i++) {
    prefixes[i] = hash;
    hash = (Math.imul(hash, FACTOR) + (source[i] ?? 0) + 1) | 0;
  }
  for (let k = n; k >= 0; k--) {
    suffixes[k] = k === n ? 0 : (hash - Math.imul(prefixes[k] ?? 0, power)) | 0;
    power = Math.imul(power, FACTOR);
  }
}

function mixed(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return mixed ^ (mixed >>> 15);
}
