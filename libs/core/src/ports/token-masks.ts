import { DroverError } from "../errors.ts";

/** Where one choice stands in its grammar. Disposing it frees what it holds. */
export interface MaskCursor extends Disposable {
  /**
   * Which tokens may come next: bit `id & 31` of word `id >> 5`, [ceil(V / 32)], unchanged until the next `accept`. Undefined while it is being made:
   * no token can be drawn until then.
   */
  readonly allowed: Uint32Array | undefined;
  /** Goes on behind a token that the mask allowed, and that ends nothing. */
  accept(tokenId: number): void;
}

/** What a choice's cursor is opened with. */
export type MaskRequest = Readonly<{
  /** The grammar's source, in the notation of `libs/grammar`. */
  grammar: string;
  /** Tokens that end an output: they are allowed where the grammar may end, and nowhere else. */
  stopTokenIds: readonly number[];
  /** Tokens of the output so far, which the grammar allows. */
  tokenIds: readonly number[];
  /** Told once, with why its masks cannot be made: `invalid_argument` where the grammar itself is at fault. */
  onFault: (fault: DroverError) => void;
  /** Told when `allowed` is there. */
  onReady: () => void;
}>;

/** Says which tokens a grammar allows. A cursor is a function of the grammar and of the tokens so far: any worker can make it again. */
export interface TokenMasks {
  /** Opens a cursor, whose first mask comes later. */
  open(request: MaskRequest): MaskCursor;
  /** Waits for the masks that are about to come, for a bounded time; undefined where there are none. */
  settle(): Promise<void> | undefined;
}

/** For engines whose requests have no grammar. Opening a cursor is refused as `invalid_argument`. */
export const noMasks: TokenMasks = {
  open: () => {
    throw new DroverError("invalid_argument", "grammars are not served here");
  },
  settle: () => undefined,
};
