/** What the thread of the admin port is started with. */
export type AdminThreadSettings = Readonly<{
  host: string;
  port: number;
  /** What every series carries that the thread itself adds. */
  labels: Readonly<Record<string, string>>;
  stallAfterMs: number;
  /** One number, shared: when the main loop last turned, by `process.hrtime.bigint()`, which all threads of a process share. */
  beat: BigInt64Array<SharedArrayBuffer>;
}>;

/** To the thread. `reason` is null when the process is ready. */
export type ToAdminThread =
  | Readonly<{ kind: "readiness"; reason: string | null }>
  | Readonly<{ kind: "answer"; id: number; answer: AdminAnswer }>;

/** From the thread. */
export type FromAdminThread =
  | Readonly<{ kind: "listening"; port: number }>
  | Readonly<{ kind: "failed"; reason: string }>
  | Readonly<{ kind: "ask"; id: number; question: AdminQuestion }>;

/** What only the main loop can answer. */
export type AdminQuestion = Readonly<{
  method: "GET" | "POST";
  path: string;
  query: string;
  /** That the one who asks is of the cluster. */
  proof?: string | undefined;
}>;

export type AdminAnswer = Readonly<{ status: number; contentType: string; body: string }>;

/** An answer in JSON. 64-bit numbers, which JSON lacks, are written as strings. */
export function json(status: number, value: unknown): AdminAnswer {
  const body = JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? one.toString() : one));
  return { status, contentType: "application/json", body: `${body}\n` };
}
