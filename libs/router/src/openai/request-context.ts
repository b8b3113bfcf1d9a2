/** What a request is read with. */
export type RequestContext = Readonly<{
  contextTokensMax: number;
  drawnSeed: number;
  /** Aborts when the client has left. */
  signal: AbortSignal;
  /** Counts what the request keeps in memory until its end. Errors: `overloaded`. */
  holdBytes: (byteCount: number) => void;
  /** Called when an image begins to be opened; what it returns, when its tiles are there. */
  timeImage: () => () => void;
}>;
