import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { DroverError, systemClock, withTimeout } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import { ClusterStateSchema } from "@drover/proto";
import { clusterStateFromWire } from "@drover/wire";
import { serverAddress } from "../chat/server-words.ts";
import { TOP_ANSWER_LIMIT } from "../limits.ts";

export type TopClientOptions = Readonly<{ url: string; apiKey?: string | undefined }>;

/** Reads a router's view of its cluster. */
export class TopClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, apiKey }: TopClientOptions) {
    this.#url = serverAddress(url);
    this.#headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }

  /**
   * The newest state that the router has; undefined while it has not heard of a scheduler that leads. Errors: `unavailable` when no router
   * answers there, `unauthenticated` without a key that it knows.
   */
  async state(signal: AbortSignal): Promise<ClusterState | undefined> {
    let status: number;
    let text: string;
    try {
      [status, text] = await withTimeout(TOP_ANSWER_LIMIT, systemClock, signal, async (limited) => {
        const response = await fetch(`${this.#url}/debug/cluster`, { headers: this.#headers, signal: limited });
        return [response.status, await response.text()] as const;
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new DroverError("unavailable", `no Drover answers at ${this.#url}`, { cause });
    }
    if (status === 401) throw new DroverError("unauthenticated", `${this.#url} asks for an API key: --api-key-file`);
    try {
      const state = fromJson(ClusterStateSchema, JSON.parse(text) as JsonValue, { ignoreUnknownFields: true });
      return state.schedulerId === "" ? undefined : clusterStateFromWire(state);
    } catch (cause) {
      throw new DroverError("unavailable", `what answers at ${this.#url} is no Drover router`, { cause });
    }
  }
}
