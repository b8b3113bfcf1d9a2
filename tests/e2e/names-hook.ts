import dns, { type LookupAddress, type LookupOptions } from "node:dns";
import { readFileSync } from "node:fs";

/**
 * For `node --import`: names that end in `.test` lead where the JSON file says that this module's URL names by `?names=`, at each look-up
 * again, as a cluster's DNS does. A name that it does not have is not known.
 */
const file = new URL(import.meta.url).searchParams.get("names") ?? "";

type Found = LookupAddress | LookupAddress[];

function find(name: string, all: boolean): Found {
  const names = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
  const address = names[name];
  if (address === undefined) throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND" });
  return all ? [{ address, family: 4 }] : { address, family: 4 };
}

const system = { lookup: dns.lookup, promised: dns.promises.lookup };

function lookup(name: string, given: LookupOptions | (() => void), after?: (...result: unknown[]) => void): void {
  const options = typeof given === "function" ? {} : given;
  const done = (typeof given === "function" ? given : after) as (...result: unknown[]) => void;
  if (!name.endsWith(".test")) {
    (system.lookup as (...args: unknown[]) => void)(name, options, done);
    return;
  }
  let found: Found | undefined;
  let fault: unknown = null;
  try {
    found = find(name, options.all === true);
  } catch (error) {
    fault = error;
  }
  setImmediate(() => {
    if (found === undefined) done(fault);
    else if (Array.isArray(found)) done(null, found);
    else done(null, found.address, found.family);
  });
}

async function promised(name: string, options: LookupOptions = {}): Promise<Found> {
  return name.endsWith(".test") ? find(name, options.all === true) : system.promised(name, options);
}

Object.assign(dns, { lookup });
Object.assign(dns.promises, { lookup: promised });
