/** What a thread of masks is loaded with. */
export type MaskThreadSettings = Readonly<{
  /** The checkpoint's folder: the thread reads the tokenizer itself. */
  modelDirectory: string;
  /** V, the width of the model's logits. */
  vocabSize: number;
}>;

/** Opens a cursor behind `tokenIds`, and writes its first mask to `allowed`, [ceil(V / 32)] in shared memory. */
export type OpenCursor = Readonly<{
  kind: "open";
  id: number;
  grammar: string;
  stopTokenIds: readonly number[];
  tokenIds: readonly number[];
  allowed: Uint32Array<SharedArrayBuffer>;
}>;

/** Tokens that were drawn: each cursor's next mask is written over its last. Closed cursors are forgotten. */
export type AdvanceCursors = Readonly<{
  kind: "advance";
  accepted: ReadonlyArray<readonly [id: number, tokenId: number]>;
  closed: readonly number[];
}>;

/** What a thread is asked. It answers when the masks are written. */
export type MaskMessage = OpenCursor | AdvanceCursors;

export type MaskAnswer = Readonly<{
  /** Cursors that cannot go on: their grammar allows no token, or not the one that was drawn. */
  stuck: readonly number[];
  /** Cursors that this thread does not have: they were another's, which has ended. */
  unknown: readonly number[];
}>;
