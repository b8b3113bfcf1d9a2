import type { LookupAddress } from "node:dns";
import { isIP, isIPv6 } from "node:net";
import { DroverError } from "@drover/core";
import { URL_CHARACTERS_MAX } from "../limits.ts";

/** All addresses of a name. Rejects as `dns.promises.lookup` does. */
export type ResolveName = (hostname: string) => Promise<readonly LookupAddress[]>;

/** What a URL may lead to. */
export type AddressRule = Readonly<{ resolve: ResolveName; isAllowed: (address: string) => boolean }>;

/** A URL, and the addresses that may be connected to for it: no other answer of the name is ever asked for. */
export type CheckedUrl = Readonly<{ url: URL; addresses: readonly LookupAddress[] }>;

/**
 * Parses an http(s) URL, or a redirect's relative one, and looks its name up once.
 * Errors: `invalid_argument` for another URL, one with a user or a password, and a host of which any address is not allowed, or that is none;
 * `unavailable` when the name cannot be looked up now.
 */
export async function checkUrl(text: string, base: URL | undefined, rule: AddressRule): Promise<CheckedUrl> {
  const url = parseUrl(text, base);
  const addresses = await addressesOf(url, rule.resolve);
  if (addresses.length === 0) throw unknownHost();
  if (!addresses.every(({ address }) => rule.isAllowed(address))) {
    throw new DroverError("invalid_argument", "the image URL's host is not an address of the public internet");
  }
  return { url, addresses };
}

function parseUrl(text: string, base: URL | undefined): URL {
  if (text.length > URL_CHARACTERS_MAX) {
    const message = `the image URL has ${text.length} characters; at most ${URL_CHARACTERS_MAX} are taken`;
    throw new DroverError("invalid_argument", message);
  }
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new DroverError("invalid_argument", "an image URL must be a data URL or begin with http:// or https://");
  }
  if (url.username !== "" || url.password !== "") {
    throw new DroverError("invalid_argument", "an image URL must not hold a user or a password");
  }
  return url;
}

async function addressesOf(url: URL, resolve: ResolveName): Promise<readonly LookupAddress[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return [{ address: host, family: isIPv6(host) ? 6 : 4 }];
  try {
    return await resolve(host);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOTFOUND" || code === "ENODATA") throw unknownHost(cause);
    throw new DroverError("unavailable", "the image URL's host cannot be looked up", { cause });
  }
}

function unknownHost(cause?: unknown): DroverError {
  return new DroverError("invalid_argument", "the image URL's host is unknown", { cause });
}
