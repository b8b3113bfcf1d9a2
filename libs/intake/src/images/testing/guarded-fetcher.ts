import { ImageFetcher, type ImageFetcherOptions } from "../image-fetcher.ts";

/** The names of the tests: each says where it leads. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  "images.test": ["127.0.0.1"],
  "inside.test": ["127.0.0.2"],
  "mixed.test": ["127.0.0.1", "127.0.0.2"],
  "six.test": ["::1"],
  "mapped.test": ["::ffff:10.0.0.1"],
  "zoned.test": ["fe80::1%lo"],
  "nowhere.test": [],
};

/** Looks the names of the tests up. */
export const resolve = async (hostname: string) => {
  const addresses = NAMES[hostname];
  if (addresses === undefined) throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
  return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
};

/** A fetcher that takes 127.0.0.1 for a public address, and nothing else. */
export const guarded = (options: Partial<ImageFetcherOptions> = {}) =>
  new ImageFetcher({
    allowHttp: true,
    allowPrivate: false,
    resolve,
    isPublic: (address) => address === "127.0.0.1",
    ...options,
  });
