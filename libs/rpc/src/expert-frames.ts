import { at } from "@drover/core";
import { FRAME_BYTES_MAX } from "./limits.ts";

/** Bytes of a value of a row. */
export const FLOAT_BYTES = 4;

/** Rows [from, to) of a call, and the experts that they belong to. */
export type Frame = Readonly<{ from: number; to: number; experts: number[]; counts: number[] }>;

/** Cuts a call into frames of at most so many bytes; a single larger row is a frame of its own. */
export function framesOf(
  call: Readonly<{ experts: ArrayLike<number>; counts: ArrayLike<number> }>,
  rowBytes: number,
  bytesMax = FRAME_BYTES_MAX,
): Frame[] {
  const rowsMax = Math.max(1, Math.floor(bytesMax / rowBytes));
  const frames: Frame[] = [];
  let from = 0;
  let current = { experts: [] as number[], counts: [] as number[], rows: 0 };
  const close = () => {
    if (current.rows === 0) return;
    frames.push({ from, to: from + current.rows, experts: current.experts, counts: current.counts });
    from += current.rows;
    current = { experts: [], counts: [], rows: 0 };
  };
  for (let i = 0; i < call.experts.length; i++) {
    for (let left = at(call.counts, i); left > 0; ) {
      const count = Math.min(left, rowsMax - current.rows);
      current.experts.push(at(call.experts, i));
      current.counts.push(count);
      current.rows += count;
      left -= count;
      if (current.rows === rowsMax) close();
    }
  }
  close();
  return frames;
}

/** A view of f32 rows as bytes. */
export function bytesOf(rows: Float32Array): Uint8Array {
  return new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
}

/** Bytes as f32 rows: a view where they are aligned, as payloads are, else a copy. */
export function rowsOf(bytes: Uint8Array): Float32Array {
  // Not slice(): that of a Buffer is a view.
  const aligned = bytes.byteOffset % FLOAT_BYTES === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / FLOAT_BYTES);
}
