/** Bytes that a number takes as a varint. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) count += 1;
  return count;
}

/** Writes a number as a varint; returns its end. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let end = start;
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes[end++] = (left % 0x80) + 0x80;
  bytes[end++] = left;
  return end;
}
