import { hash } from "node:crypto";
import { assert, BoundedMap } from "@drover/core";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, SEED_HASHES_KEPT_MAX } from "./limits.ts";

/** What a chain of hashes begins with: prefixes of other models, and of other salts, never meet. */
export type HashSeed = Readonly<{
  /** Names weights, layout and number type: whatever changes a row's value. */
  modelFingerprint: string;
  /** Keeps tenants apart; "" where nobody is. */
  salt: string;
}>;

/** Keeps the prefixes of tenants apart, once there are any: until then all share them. */
const SALT = "";

/**
 * What chains of a served model begin with: by it the router's hashes are the workers'. `modelFingerprint` is that by
 * which workers join.
 */
export function servedModelSeed(modelId: string, modelFingerprint: string): HashSeed {
  return { modelFingerprint: `${modelId} ${modelFingerprint}`, salt: SALT };
}

/**
 * An image's features in a prompt: `runs` ascending, in prompt positions, together the image's feature rows in order.
 */
export type HashedImage = Readonly<{
  /** Hex of SHA-256. */
  contentHash: string;
  runs: readonly Readonly<{ start: number; count: number }>[];
}>;

/** A run of an image's rows, with the feature row that its first one takes. */
type ImageRun = Readonly<{ digest: Uint8Array; start: number; end: number; featureRow: number }>;

const SCRATCH_BYTES = BLOCK_HASH_BYTES + 4 * BLOCK_TOKENS;
const IMAGE_RECORD_BYTES = 32 + 12;
const PARENT_OFFSET = 0;
const TOKENS_OFFSET = BLOCK_HASH_BYTES;

/**
 * Names every prefix of a sequence that ends at a whole block: h_i = H(h_{i-1}, ids of block i, images in block i),
 * h_{-1} from the seed. Equal names mean equal ids, images, model and salt from position 0 on. Grows with the sequence.
 */
export class BlockHashes {
  readonly #images: readonly ImageRun[];
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  /** The block's ids in the scratch, little-endian as all that runs ONNX models is. */
  readonly #scratchIds = new Int32Array(this.#scratch.buffer, TOKENS_OFFSET, BLOCK_TOKENS);
  #bytes: Uint8Array;
  #blockCount = 0;
  /** Ids of the unfinished block, in the scratch already. */
  #pendingCount = 0;

  /** `images`: of the whole prompt, ascending by their first row. */
  constructor(seed: HashSeed, images: readonly HashedImage[] = []) {
    this.#images = images.flatMap(runsOf);
    this.#bytes = new Uint8Array(BLOCK_HASH_BYTES * 64);
    this.#scratch.set(seedHash(seed), PARENT_OFFSET);
  }

  /**
   * Goes on where a chain ended whose blocks are known: `wire` as {@link wire} gave it, `pendingIds` what follows its
   * last whole block. Errors: a bug for a wire of another length than whole hashes; bytes from outside are checked
   * before.
   */
  static resume(
    seed: HashSeed,
    wire: Uint8Array,
    pendingIds: Int32Array,
    images: readonly HashedImage[] = [],
  ): BlockHashes {
    assert(wire.length % BLOCK_HASH_BYTES === 0, "a chain is whole hashes");
    const hashes = new BlockHashes(seed, images);
    hashes.#blockCount = wire.length / BLOCK_HASH_BYTES;
    hashes.#bytes = new Uint8Array(Math.max(64 * BLOCK_HASH_BYTES, wire.length));
    hashes.#bytes.set(wire);
    if (wire.length > 0) hashes.#scratch.set(wire.subarray(-BLOCK_HASH_BYTES), PARENT_OFFSET);
    hashes.append(pendingIds);
    return hashes;
  }

  /** Whole blocks. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /** Tokens appended, those of the unfinished block too. */
  get tokenCount(): number {
    return this.#blockCount * BLOCK_TOKENS + this.#pendingCount;
  }

  /** The whole blocks' hashes, 16 bytes each, as a job carries them. A view: copy it to keep it. */
  get wire(): Uint8Array {
    return this.#bytes.subarray(0, this.#blockCount * BLOCK_HASH_BYTES);
  }

  /** Block `index`'s hash as a string of 16 characters, one a byte: a key of maps. */
  key(index: number): string {
    assert(index < this.#blockCount, "only whole blocks have a hash");
    return keyAt(this.#bytes, index);
  }

  /** Appends the ids of the next tokens. */
  append(tokenIds: Int32Array | readonly number[]): void {
    for (let done = 0; done < tokenIds.length; ) {
      const count = Math.min(tokenIds.length - done, BLOCK_TOKENS - this.#pendingCount);
      const end = done + count;
      this.#scratchIds.set(
        tokenIds instanceof Int32Array ? tokenIds.subarray(done, end) : tokenIds.slice(done, end),
        this.#pendingCount,
      );
      this.#pendingCount += count;
      if (this.#pendingCount === BLOCK_TOKENS) this.#finishBlock();
      done = end;
    }
  }

  #finishBlock(): void {
    const digest = hash("sha256", this.#message(), "buffer");
    const name = digest.subarray(0, BLOCK_HASH_BYTES);
    const at = this.#blockCount * BLOCK_HASH_BYTES;
    if (at === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(name, at);
    this.#scratch.set(name, PARENT_OFFSET);
    this.#blockCount += 1;
    this.#pendingCount = 0;
  }

  /**
   * The parent, the ids, then a record of fixed length for each run of image rows in the block: no two blocks have one
   * message.
   */
  #message(): Uint8Array {
    if (this.#images.length === 0) return this.#scratch;
    const first = this.#blockCount * BLOCK_TOKENS;
    const end = first + BLOCK_TOKENS;
    const runs = this.#images.filter((run) => run.start < end && run.end > first);
    if (runs.length === 0) return this.#scratch;
    const message = new Uint8Array(SCRATCH_BYTES + runs.length * IMAGE_RECORD_BYTES);
    message.set(this.#scratch);
    const view = new DataView(message.buffer);
    for (const [i, run] of runs.entries()) {
      const at = SCRATCH_BYTES + i * IMAGE_RECORD_BYTES;
      const start = Math.max(run.start, first);
      message.set(run.digest, at);
      view.setUint32(at + 32, start - first, true);
      view.setUint32(at + 36, run.featureRow + start - run.start, true);
      view.setUint32(at + 40, Math.min(run.end, end) - start, true);
    }
    return message;
  }
}

/** Hash `index` of a chain in its wire form, as a map's key: see {@link BlockHashes.key}. */
export function keyAt(wire: Uint8Array, index: number): string {
  const at = index * BLOCK_HASH_BYTES;
  return Buffer.from(wire.buffer, wire.byteOffset + at, BLOCK_HASH_BYTES).toString("latin1");
}

/** The wire form of keys. */
export function wireOf(keys: readonly string[]): Uint8Array {
  return Buffer.from(keys.join(""), "latin1");
}

/** By salt and fingerprint: every prompt of a tenant begins with the same one. */
const seedHashes = new BoundedMap<string, Uint8Array>({ entriesMax: SEED_HASHES_KEPT_MAX });

function seedHash({ modelFingerprint, salt }: HashSeed): Uint8Array {
  const key = `${salt.length} ${salt}${modelFingerprint}`;
  const known = seedHashes.get(key);
  if (known !== undefined) return known;
  // JSON separates the two, whatever is in them.
  const text = JSON.stringify(["drover-kv", BLOCK_TOKENS, modelFingerprint, salt]);
  const made = hash("sha256", text, "buffer").subarray(0, BLOCK_HASH_BYTES);
  seedHashes.set(key, made);
  return made;
}

function runsOf(image: HashedImage): ImageRun[] {
  const digest = Buffer.from(image.contentHash, "hex");
  assert(digest.length === 32, "an image's content hash is SHA-256 in hex");
  let featureRow = 0;
  return image.runs.map(({ start, count }) => {
    const run = { digest, start, end: start + count, featureRow };
    featureRow += count;
    return run;
  });
}
