import { DroverError } from "@drover/core";
import { isObject } from "../files/json-file.ts";

/** What is known of a written file: enough to check it, and to map what is in it. */
export type FileRecord = Readonly<{
  /** Relative to the converted folder. */
  file: string;
  byteCount: number;
  /** The hash of the weights, and for tensors in their own type of the whole file. */
  sha256: string;
  /** The packed half's record; one entry for each matrix, null where it is not stored. Null for tensors in their own type. */
  prepared: Readonly<{ sha256: string; matrices: readonly (PreparedMatrix | null)[] }> | null;
}>;

/** The runtime's key of a packed matrix, and its bytes. */
export type PreparedMatrix = Readonly<{ key: string; byteCount: number }>;

/** Reads a record. Errors: `invalid_argument` naming the path. */
export function readFileRecord(value: unknown, path: string): FileRecord {
  const fail = (): never => {
    throw new DroverError("invalid_argument", `${path} holds a record that is none: it was spoiled`);
  };
  if (!isObject(value)) return fail();
  const { file, byteCount, sha256, prepared } = value;
  if (typeof file !== "string" || !isCount(byteCount) || !isHash(sha256)) return fail();
  if (prepared === null) return { file, byteCount, sha256, prepared };
  if (!isObject(prepared) || !isHash(prepared.sha256) || !Array.isArray(prepared.matrices)) return fail();
  const matrices = prepared.matrices.map((matrix: unknown): PreparedMatrix | null => {
    if (matrix === null) return null;
    if (!isObject(matrix) || typeof matrix.key !== "string" || !isCount(matrix.byteCount)) return fail();
    // The key becomes a part of a graph, in which these characters separate.
    if (!/^[\w+]+$/.test(matrix.key)) return fail();
    return { key: matrix.key, byteCount: matrix.byteCount };
  });
  return { file, byteCount, sha256, prepared: { sha256: prepared.sha256, matrices } };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
