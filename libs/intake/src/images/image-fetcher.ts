import { lookup } from "node:dns/promises";
import type { IncomingMessage } from "node:http";
import { type Clock, DroverError, systemClock, withTimeout } from "@drover/core";
import { FETCH_MS_MAX, FETCH_RETRY_AFTER_MS, FETCHES_MAX, IMAGE_FILE_BYTES_MAX, REDIRECTS_MAX } from "../limits.ts";
import { type AddressRule, checkUrl, type ResolveName } from "./checked-url.ts";
import { isDataUrl, readDataUrl } from "./data-url.ts";
import { httpGet, readBody } from "./http-get.ts";
import { isPublicAddress } from "./public-address.ts";

export type ImageFetcherOptions = Readonly<{
  /** Whether http(s) URLs are taken at all; data URLs always are. */
  allowHttp: boolean;
  /** Whether they may lead into private networks. */
  allowPrivate: boolean;
  clock?: Clock;
  fetchMsMax?: number;
  fetchesMax?: number;
  bytesMax?: number;
  /** How names are looked up, and which addresses are public: for tests. */
  resolve?: ResolveName;
  isPublic?: (address: string) => boolean;
}>;

const REDIRECTS = [301, 302, 303, 307, 308];
/** Statuses below 500 that another try may change: timeout, early and rate limit. */
const PASSING = [408, 425, 429];

/**
 * Gets the bytes of an image by its URL. Every address of a host is checked, at each redirect again, and only checked addresses are connected to.
 * Messages tell a status and nothing else of what a server said.
 */
export class ImageFetcher {
  readonly #options: Required<ImageFetcherOptions>;
  readonly #rule: AddressRule;
  #fetchCount = 0;

  constructor(options: ImageFetcherOptions) {
    this.#options = {
      clock: systemClock,
      fetchMsMax: FETCH_MS_MAX,
      fetchesMax: FETCHES_MAX,
      bytesMax: IMAGE_FILE_BYTES_MAX,
      resolve: (hostname) => lookup(hostname, { all: true }),
      isPublic: isPublicAddress,
      ...options,
    };
    const { allowPrivate, isPublic, resolve } = this.#options;
    this.#rule = { resolve, isAllowed: (address) => allowPrivate || isPublic(address) };
  }

  /**
   * Errors: `invalid_argument` for a URL that is refused, too many bytes or redirects, or a status that says there is no image;
   * `unavailable` for a server that fails or is too slow; `overloaded` beyond the limit of fetches; the signal's reason when it aborts.
   */
  async fetch(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal.throwIfAborted();
    if (isDataUrl(url)) return readDataUrl(url);
    const { allowHttp, fetchesMax, fetchMsMax, clock } = this.#options;
    if (!allowHttp) throw new DroverError("invalid_argument", "image URLs are switched off here: send a data URL");
    if (this.#fetchCount >= fetchesMax) {
      throw new DroverError("overloaded", "too many images are fetched at once", {
        retryAfterMs: FETCH_RETRY_AFTER_MS,
      });
    }
    const message = `the image took longer than ${fetchMsMax} ms to fetch`;
    this.#fetchCount += 1;
    try {
      // A look-up of a name cannot be aborted, so it is left behind.
      return await withTimeout({ ms: fetchMsMax, message, code: "unavailable" }, clock, signal, (limited) =>
        this.#follow(url, limited),
      );
    } finally {
      this.#fetchCount -= 1;
    }
  }

  async #follow(text: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    let checked = await checkUrl(text, undefined, this.#rule);
    for (let redirectCount = 0; ; redirectCount++) {
      signal.throwIfAborted();
      const response = await httpGet(checked, signal);
      try {
        const location = redirectOf(response);
        if (location === undefined) return await this.#read(response);
        if (redirectCount === REDIRECTS_MAX) {
          throw new DroverError("invalid_argument", `the image URL redirects more than ${REDIRECTS_MAX} times`);
        }
        checked = await checkUrl(location, checked.url, this.#rule);
      } finally {
        response.destroy();
      }
    }
  }

  #read(response: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
    const status = response.statusCode ?? 0;
    if (status !== 200) {
      const mayPass = status >= 500 || PASSING.includes(status);
      throw new DroverError(
        mayPass ? "unavailable" : "invalid_argument",
        `the image's server answered with status ${status}`,
      );
    }
    if ((response.headers["content-encoding"] ?? "identity") !== "identity") {
      throw new DroverError("invalid_argument", "the image's server sent it compressed, unasked");
    }
    return readBody(response, this.#options.bytesMax);
  }
}

function redirectOf({ statusCode, headers }: IncomingMessage): string | undefined {
  return REDIRECTS.includes(statusCode ?? 0) ? headers.location : undefined;
}
