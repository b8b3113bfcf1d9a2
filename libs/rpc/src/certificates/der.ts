/** Tags of ASN.1's DER encoding (X.690), as far as certificates need them. */
const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  objectId: 0x06,
  text: 0x0c,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value: its tag, its length, its parts one after the other. */
function value(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => value(TAG.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => value(TAG.set, ...parts);
export const text = (value_: string): Buffer => value(TAG.text, Buffer.from(value_));
export const octets = (bytes: Uint8Array): Buffer => value(TAG.octets, bytes);
/** Whole bytes of bits, of whose last byte some are not used. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => value(TAG.bits, Buffer.from([unused]), bytes);
export const yes = (): Buffer => value(TAG.boolean, Buffer.from([0xff]));
/** A number that is not negative, from its bytes, the highest first. */
export const integer = (bytes: Uint8Array): Buffer =>
  value(TAG.integer, ((bytes[0] ?? 0) & 0x80) === 0 ? bytes : Buffer.concat([Buffer.from([0]), bytes]));
/** `[number]` of a choice or of an optional part; `constructed` where it has parts. */
export const context = (number: number, constructed: boolean, ...parts: readonly Uint8Array[]): Buffer =>
  value((constructed ? 0xa0 : 0x80) | number, ...parts);

/** A moment to the second, `YYYYMMDDHHMMSSZ`. */
export const time = (ms: number): Buffer =>
  value(TAG.time, Buffer.from(`${new Date(ms).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`));

/** An object's id from its numbers, `2.5.4.3`. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return value(TAG.objectId, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(number: number): number[] {
  const digits = [number & 0x7f];
  for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
  return digits;
}
