import fc from "fast-check";

/** Changes a file's bytes; what it did is in its text. */
export type Spoiling = Readonly<{ apply: (bytes: Buffer) => Buffer; toString: () => string }>;

const at = (bytes: Buffer, share: number) => Math.min(bytes.length - 1, Math.floor(share * bytes.length));
const share = fc.double({ min: 0, max: 1, noNaN: true });

const spoiling = (apply: Spoiling["apply"], text: string): Spoiling => ({ apply, toString: () => text });

/** Bits flipped, bytes cut off, cut out, put in, or zeroed: what disks, networks and half-done copies do. */
export const spoiledBytes: fc.Arbitrary<Spoiling> = fc.oneof(
  fc.array(fc.tuple(share, fc.nat(7)), { minLength: 1, maxLength: 4 }).map((flips) =>
    spoiling(
      (bytes) => {
        const out = Buffer.from(bytes);
        for (const [where, bit] of flips) out[at(out, where)] = (out[at(out, where)] ?? 0) ^ (1 << bit);
        return out;
      },
      `flips ${JSON.stringify(flips)}`,
    ),
  ),
  share.map((where) => spoiling((bytes) => bytes.subarray(0, at(bytes, where)), `ends at ${where}`)),
  fc
    .tuple(share, fc.integer({ min: 1, max: 64 }))
    .map(([where, count]) =>
      spoiling(
        (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, where)), bytes.subarray(at(bytes, where) + count)]),
        `lacks ${count} at ${where}`,
      ),
    ),
  fc
    .tuple(share, fc.uint8Array({ minLength: 1, maxLength: 16 }))
    .map(([where, more]) =>
      spoiling(
        (bytes) => Buffer.concat([bytes.subarray(0, at(bytes, where)), more, bytes.subarray(at(bytes, where))]),
        `has ${more} at ${where}`,
      ),
    ),
  fc
    .tuple(share, fc.integer({ min: 1, max: 512 }))
    .map(([where, count]) =>
      spoiling(
        (bytes) => Buffer.from(bytes).fill(0, at(bytes, where), Math.min(bytes.length, at(bytes, where) + count)),
        `zeros at ${where}`,
      ),
    ),
);

/** Numbers, names and shapes that lie. `deep` is JSON of its own, since nothing builds it as a value. */
const lies: readonly unknown[] = [
  null,
  true,
  "",
  "../../etc/passwd",
  "model\u0000\u001b[31m\n",
  "x".repeat(5000),
  -1,
  0,
  0.5,
  1e308,
  2 ** 53,
  2 ** 31,
  1e15,
  1e9,
  4096,
  [],
  {},
  [1, -1],
  [2 ** 52, 2 ** 52],
  Array.from({ length: 2000 }, () => 1),
  Array.from({ length: 40 }, () => 0),
  "__proto__",
];

/** One value somewhere in a JSON text that is replaced by a lie, or by lists ten thousand deep. */
export const spoiledJson: fc.Arbitrary<Spoiling> = fc
  .tuple(share, fc.option(fc.constantFrom(...lies), { nil: undefined, freq: 12 }))
  .map(([where, lie]) =>
    spoiling(
      (bytes) => {
        const deep = '"deep"';
        const text = JSON.stringify(
          replaced(JSON.parse(bytes.toString("utf8")), where, lie === undefined ? "deep" : lie),
        );
        return Buffer.from(lie === undefined ? text.replace(deep, `${"[".repeat(1e4)}${"]".repeat(1e4)}`) : text);
      },
      `${lie === undefined ? "deep lists" : JSON.stringify(lie)?.slice(0, 80)} at ${where}`,
    ),
  );

/** The same for a safetensors file's header; its data stays. */
export const spoiledHeader: fc.Arbitrary<Spoiling> = spoiledJson.map((json) =>
  spoiling((bytes) => {
    const length = Number(bytes.readBigUInt64LE());
    const header = json.apply(bytes.subarray(8, 8 + length));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([size, header, bytes.subarray(8 + length)]);
  }, `header: ${json}`),
);

/** A copy with the value at this share of all places replaced. */
function replaced(value: unknown, where: number, lie: unknown): unknown {
  const total = countOf(value);
  let left = Math.min(total - 1, Math.floor(where * total));
  const visit = (one: unknown): unknown => {
    if (left-- === 0) return lie;
    if (Array.isArray(one)) return one.map(visit);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, part]) => [key, visit(part)]));
  };
  return visit(value);
}

function countOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, part) => sum + countOf(part), 1);
}
