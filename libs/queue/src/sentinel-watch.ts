import { at, type SentinelUrl } from "@drover/core";
import { Redis } from "ioredis";
import { CONNECT_MS_MAX, SENTINEL_RETRY_MS } from "./limits.ts";

/** What a sentinel says when its primary is another one: the name, then the old and the new address. https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ */
const CHANNEL = "+switch-master";

/**
 * Listens to one of the sentinels, and to the next one where it goes, for the word of a failover: an old primary that is frozen says nothing
 * itself. ioredis's own listener can end a connection for ever that is being made at that moment.
 */
export class SentinelWatch {
  readonly #url: SentinelUrl;
  readonly #onFailover: () => void;
  #turn = 0;
  #sentinel: Redis | undefined;
  #isOver = false;

  constructor(url: SentinelUrl, onFailover: () => void) {
    this.#url = url;
    this.#onFailover = onFailover;
    this.#listen();
  }

  end(): void {
    this.#isOver = true;
    this.#sentinel?.disconnect();
  }

  #listen(): void {
    const { sentinels, name, sentinelUsername, sentinelPassword, sentinelTls } = this.#url;
    const sentinel = new Redis({
      ...at(sentinels, this.#turn++ % sentinels.length),
      ...(sentinelUsername !== undefined && { username: sentinelUsername }),
      ...(sentinelPassword !== undefined && { password: sentinelPassword }),
      ...(sentinelTls && { tls: {} }),
      retryStrategy: () => null,
      enableReadyCheck: false,
      connectTimeout: CONNECT_MS_MAX,
    });
    this.#sentinel = sentinel;
    // Whoever asks for the primary says what is wrong with a sentinel.
    sentinel.on("error", () => undefined);
    sentinel.on("message", (_, text: string) => {
      if (text.startsWith(`${name} `)) this.#onFailover();
    });
    sentinel.once("end", () => setTimeout(() => this.#again(), SENTINEL_RETRY_MS).unref());
    sentinel.subscribe(CHANNEL).catch(() => sentinel.disconnect());
  }

  #again(): void {
    if (!this.#isOver) this.#listen();
  }
}
