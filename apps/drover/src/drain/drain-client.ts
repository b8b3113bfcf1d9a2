import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { DroverError, ERROR_CODES, systemClock, withTimeout } from "@drover/core";
import type { DrainReply } from "@drover/fleet";
import { DrainReplySchema } from "@drover/proto";
import { memberHeaders } from "@drover/rpc";
import { drainReplyFromWire } from "@drover/wire";
import { DRAIN_ANSWER_LIMIT } from "../limits.ts";

export type DrainQuestion = Readonly<{
  worker: string;
  undo: boolean;
  /** Only this life of the worker is asked to drain; absent: whichever there is. */
  incarnation?: string | undefined;
}>;

/** Asks a scheduler's admin port to drain a worker; asked again, it says how far the worker is. */
export class DrainClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/+$/, "");
  }

  /** Errors: `unauthenticated` without the cluster's secret; `not_found` with the names that there are; `unavailable` where no scheduler answers, or none leads. */
  async ask({ worker, undo, incarnation }: DrainQuestion, signal: AbortSignal): Promise<DrainReply> {
    const query = new URLSearchParams({ worker, undo: String(undo), incarnation: incarnation ?? "" });
    const target = `/drain?${query}`;
    let status: number;
    let answer: JsonValue;
    try {
      [status, answer] = await withTimeout(DRAIN_ANSWER_LIMIT, systemClock, signal, async (limited) => {
        const response = await fetch(`${this.#url}${target}`, {
          method: "POST",
          headers: memberHeaders(`POST ${target}`),
          signal: limited,
        });
        return [response.status, (await response.json()) as JsonValue] as const;
      });
    } catch (cause) {
      signal.throwIfAborted();
      const message = `no scheduler answers at ${this.#url}: --url is the admin address of one`;
      throw new DroverError("unavailable", message, { cause });
    }
    if (status === 200) return drainReplyFromWire(fromJson(DrainReplySchema, answer, { ignoreUnknownFields: true }));
    const said = typeof answer === "object" && answer !== null && "error" in answer ? String(answer.error) : "";
    if (status === ERROR_CODES.unauthenticated.http) throw new DroverError("unauthenticated", said);
    // Another process's admin port answers 404 too, and knows of no workers.
    const known = said.startsWith("no worker is called");
    if (status === 404 && !known) {
      throw new DroverError("invalid_argument", `what answers at ${this.#url} is no scheduler's admin port`);
    }
    throw new DroverError(known ? "not_found" : "unavailable", said === "" ? `${this.#url} answers ${status}` : said);
  }
}
