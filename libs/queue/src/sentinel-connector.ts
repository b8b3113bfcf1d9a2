import type { SentinelUrl } from "@drover/core";
import { type RedisOptions as ConnectionOptions, SentinelConnector } from "ioredis";
import { SENTINEL_ANSWER_MS_MAX, SENTINEL_RETRY_MS } from "./limits.ts";

/** Whatever else may be said of a connection is the same as without sentinels. */
export type SentinelOptions = Omit<ConnectionOptions, "replyMapping">;

type Settings = ConstructorParameters<typeof SentinelConnector>[0];

/** Asks sentinels where the primary is, and connects to it, and to nothing else: who says that it is a replica is left, and the next sentinel asked. */
export class PrimaryBySentinels extends SentinelConnector {
  readonly #onReplica: () => void;

  /** `onReplica` is told of each replica that was left. */
  constructor(settings: Settings, onReplica: () => void) {
    super(settings);
    this.#onReplica = onReplica;
  }

  override check(info: Parameters<SentinelConnector["check"]>[0]): boolean {
    const isPrimary = super.check(info);
    if (!isPrimary) this.#onReplica();
    return isPrimary;
  }
}

/** How a connection finds its Redis by sentinels, for ioredis. */
export function sentinelOptions(url: SentinelUrl): SentinelOptions {
  const { sentinels, name, db, username, password, sentinelUsername, sentinelPassword, tls, sentinelTls } = url;
  return {
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    name,
    db,
    role: "master",
    sentinelCommandTimeout: SENTINEL_ANSWER_MS_MAX,
    sentinelRetryStrategy: () => SENTINEL_RETRY_MS,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { tls: {}, enableTLSForSentinelMode: true }),
    ...(sentinelTls && { sentinelTLS: {} }),
  };
}
