import { create } from "@bufbuild/protobuf";
import {
  type EncodeFrame,
  EncodeFrameSchema,
  type EncodeReply,
  EncodeReplySchema,
  type FeatureFrame,
  FeatureFrameSchema,
  type FeaturesRequest,
  FeaturesRequestSchema,
  type ProbeReply,
  ProbeReplySchema,
  type ProbeRequest,
  ProbeRequestSchema,
} from "@drover/proto";
import { contentHashFromWire, contentHashToWire } from "./content-hash.ts";

/** What the frames of an image become. */
export type TilesHead = Readonly<{
  /** SHA-256 of the tiles, in hex. */
  contentHash: string;
  tileCount: number;
  /** Side of a tile in pixels. */
  tileSize: number;
}>;

/** A part of an image on its way to a vision worker. */
export type TilesFrame = Readonly<{
  /** Only the first frame has it. */
  head: TilesHead | undefined;
  /** The next part of the grey levels, u8 [tileCount, tileSize, tileSize, 3]; not copied. */
  pixels: Uint8Array;
}>;

/** The features of an image are there. */
export type Encoded = Readonly<{
  rowCount: number;
  /** Whether they were there already. */
  cached: boolean;
}>;

/** A part of an image's features on its way to an attention worker. */
export type FeaturesFrame = Readonly<{
  /** Rows of all frames together; only the first frame has it. */
  rowCount: number | undefined;
  /** The next part of the rows, f32 little-endian [rowCount, D]; it may cut a row. Not copied. */
  bytes: Uint8Array;
}>;

export function tilesFrameToWire({ head, pixels }: TilesFrame): EncodeFrame {
  if (head === undefined) return create(EncodeFrameSchema, { pixels });
  const { contentHash, tileCount, tileSize } = head;
  return create(EncodeFrameSchema, { contentHash: contentHashToWire(contentHash), tileCount, tileSize, pixels });
}

/** Errors: `invalid_argument` for a head whose hash is none. */
export function tilesFrameFromWire({ contentHash, tileCount, tileSize, pixels }: EncodeFrame): TilesFrame {
  if (contentHash.byteLength === 0 && tileCount === 0 && tileSize === 0) return { head: undefined, pixels };
  return { head: { contentHash: contentHashFromWire(contentHash, "content_hash"), tileCount, tileSize }, pixels };
}

export function encodedToWire(encoded: Encoded): EncodeReply {
  return create(EncodeReplySchema, encoded);
}

export function encodedFromWire({ rowCount, cached }: EncodeReply): Encoded {
  return { rowCount, cached };
}

/** Asks which images' features a worker has, by content hash. */
export function probeToWire(contentHashes: readonly string[]): ProbeRequest {
  return create(ProbeRequestSchema, { contentHashes: contentHashes.map(contentHashToWire) });
}

/** Errors: `invalid_argument` for a hash that is none. */
export function probeFromWire({ contentHashes }: ProbeRequest): string[] {
  return contentHashes.map((hash) => contentHashFromWire(hash, "content_hashes"));
}

/** One answer for each hash that was asked for, in order. */
export function probeReplyToWire(held: readonly boolean[]): ProbeReply {
  return create(ProbeReplySchema, { held: [...held] });
}

export function probeReplyFromWire({ held }: ProbeReply): boolean[] {
  return held;
}

/** Asks for an image's features by its content hash. */
export function featuresRequestToWire(contentHash: string): FeaturesRequest {
  return create(FeaturesRequestSchema, { contentHash: contentHashToWire(contentHash) });
}

/** Errors: `invalid_argument` for a hash that is none. */
export function featuresRequestFromWire({ contentHash }: FeaturesRequest): string {
  return contentHashFromWire(contentHash, "content_hash");
}

export function featuresFrameToWire({ rowCount, bytes }: FeaturesFrame): FeatureFrame {
  return create(FeatureFrameSchema, rowCount === undefined ? { rows: bytes } : { rowCount, rows: bytes });
}

/** An image without rows is none: a first frame says more than 0. */
export function featuresFrameFromWire({ rowCount, rows }: FeatureFrame): FeaturesFrame {
  return { rowCount: rowCount === 0 ? undefined : rowCount, bytes: rows };
}
