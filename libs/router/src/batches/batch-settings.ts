/** How batches are kept and answered. */
export type BatchSettings = Readonly<{
  /** Of this router, as batches know who works on them. */
  routerId: string;
  /** Files and batches are kept for so long. */
  keptMs: number;
  /** Requests of batches that run at once. */
  requestsMax: number;
}>;
