/** What a hashing thread is asked: bytes [start, end) of a file. */
export type HashRequest = Readonly<{ path: string; start: number; end: number }>;
