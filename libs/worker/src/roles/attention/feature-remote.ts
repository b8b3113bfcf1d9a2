import {
  type Clock,
  DroverError,
  type FeatureSource,
  neverAborted,
  type PromptImage,
  toDroverError,
  untilAborted,
  withTimeout,
} from "@drover/core";
import { RpcClient } from "@drover/rpc";
import { FEATURES_FETCH_LIMIT, FETCHED_FEATURE_BYTES_MAX, VISION_CONNECTIONS_MAX } from "../../limits.ts";
import { FeatureCache } from "../vision/feature-cache.ts";
import { fetchFeatures } from "../vision/feature-stream.ts";

export type RemoteFeaturesOptions = Readonly<{
  clock: Clock;
  /** D, the width of a row. */
  hiddenSize: number;
  /** The features that this very process has made: they are read where they are. */
  local?: FeatureCache;
  fetchedBytesMax?: number;
  connectionsMax?: number;
}>;

type Connection = { readonly client: RpcClient; fetchCount: number };

/** Gets features from the vision workers that hold them, once for all who ask, and keeps the newest. */
export class RemoteFeatures implements FeatureSource, Disposable {
  readonly #options: RemoteFeaturesOptions;
  readonly #fetched: FeatureCache;
  readonly #fetching = new Map<string, Promise<Float32Array>>();
  /** In the order of their last use. */
  readonly #connections = new Map<string, Connection>();
  readonly #connectionsMax: number;

  constructor(options: RemoteFeaturesOptions) {
    this.#options = options;
    this.#fetched = new FeatureCache(options.fetchedBytesMax ?? FETCHED_FEATURE_BYTES_MAX);
    this.#connectionsMax = options.connectionsMax ?? VISION_CONNECTIONS_MAX;
  }

  /**
   * [rows, D], shared: read only. Errors: `unavailable`, whatever kept them from coming; the signal's reason. A fetch goes on when one who waits
   * leaves: its own deadline bounds it, and others wait too or soon will.
   */
  async features(image: PromptImage, signal: AbortSignal): Promise<Float32Array> {
    signal.throwIfAborted();
    const known = this.#here(image);
    if (known !== undefined) return known;
    const key = `${image.holder} ${image.contentHash}`;
    const running = this.#fetching.get(key) ?? this.#start(key, image);
    return untilAborted(running, signal);
  }

  [Symbol.dispose](): void {
    for (const { client } of this.#connections.values()) client[Symbol.dispose]();
    this.#connections.clear();
  }

  /** By content, whoever is said to hold it: the same image has the same features everywhere. */
  #here({ contentHash }: PromptImage): Float32Array | undefined {
    return this.#options.local?.read(contentHash) ?? this.#fetched.read(contentHash);
  }

  #start(key: string, image: PromptImage): Promise<Float32Array> {
    const fetch = this.#fetch(image);
    this.#fetching.set(key, fetch);
    const ended = () => this.#fetching.delete(key);
    fetch.then(ended, ended);
    return fetch;
  }

  async #fetch({ contentHash, holder, runs }: PromptImage): Promise<Float32Array> {
    const connection = this.#connection(holder);
    connection.fetchCount += 1;
    try {
      const rowCount = runs.reduce((sum, { count }) => sum + count, 0);
      const { hiddenSize, clock } = this.#options;
      const rows_aD = await withTimeout(FEATURES_FETCH_LIMIT, clock, neverAborted, (signal) =>
        fetchFeatures(connection.client, contentHash, rowCount, hiddenSize, signal),
      );
      this.#fetched.put(contentHash, rows_aD);
      return rows_aD;
    } catch (error) {
      const { message } = toDroverError(error);
      throw new DroverError("unavailable", `an image's features did not come from ${holder}: ${message}`, {
        cause: error,
      });
    } finally {
      connection.fetchCount -= 1;
    }
  }

  /** Idle connections beyond the limit are closed, the one unused for longest first. */
  #connection(address: string): Connection {
    const connection = this.#connections.get(address) ?? { client: new RpcClient(address), fetchCount: 0 };
    this.#connections.delete(address);
    this.#connections.set(address, connection);
    for (const [other, { client, fetchCount }] of this.#connections) {
      if (this.#connections.size <= this.#connectionsMax) break;
      if (fetchCount > 0 || other === address) continue;
      client[Symbol.dispose]();
      this.#connections.delete(other);
    }
    return connection;
  }
}
