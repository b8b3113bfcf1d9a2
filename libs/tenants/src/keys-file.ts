import { DroverError } from "@drover/core";
import { keyDigest } from "./key-digest.ts";
import { KEYS_MAX, NAME_CHARACTERS_MAX, WEIGHT_MAX, WEIGHT_MIN } from "./limits.ts";
import { PRIORITIES, type Priority, RIGHTS, type Right, type Tenant } from "./tenant.ts";

/** What a keys file says. */
export type ParsedKeys = Readonly<{
  tenants: readonly Tenant[];
  /** Digests of the house's own keys, which stand in the file as they are: without limits, with every right. */
  ownDigests: readonly string[];
}>;

/** One field of a tenant's line: how it is named there, and what it must be. */
type Field = Readonly<{ name: string; read: (value: unknown) => unknown; must: string }>;

const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length <= NAME_CHARACTERS_MAX && /^[\w.@-]+$/.test(value);
const nameRule = `be 1 to ${NAME_CHARACTERS_MAX} letters, digits or any of ._@-`;
const isDigest = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);

const name = (value: unknown) => (isName(value) ? value : undefined);
const count = (value: unknown) => (Number.isSafeInteger(value) && Number(value) > 0 ? value : undefined);
const list = (value: unknown, isItem: (item: unknown) => boolean) =>
  Array.isArray(value) && value.length > 0 && value.every(isItem) ? value : undefined;
const oneOf = (choices: readonly string[]) => (value: unknown) => choices.includes(value as string);

const wholeNumber = (key: string): Field => ({ name: key, read: count, must: "be a whole number above 0" });

/** The fields of a line, by their names in a `Tenant`. */
const FIELDS = {
  name: { name: "name", read: name, must: nameRule },
  group: { name: "group", read: name, must: nameRule },
  keyDigests: {
    name: "key_sha256",
    read: (value) => (isDigest(value) ? [value] : list(value, isDigest)),
    must: "be the SHA-256 of a key in hex, or a list of them",
  },
  requestsPerMinute: wholeNumber("requests_per_minute"),
  tokensPerMinute: wholeNumber("tokens_per_minute"),
  concurrentRequests: wholeNumber("concurrent_requests"),
  kvBytes: wholeNumber("kv_bytes"),
  models: {
    name: "models",
    read: (value) => list(value, (item) => typeof item === "string" && item !== ""),
    must: "be a list of names",
  },
  priority: {
    name: "priority",
    read: (value) => (oneOf(PRIORITIES)(value) ? value : undefined),
    must: `be one of ${PRIORITIES.join(", ")}`,
  },
  weight: {
    name: "weight",
    read: (value) => (typeof value === "number" && value >= WEIGHT_MIN && value <= WEIGHT_MAX ? value : undefined),
    must: `be a number from ${WEIGHT_MIN} to ${WEIGHT_MAX}`,
  },
  rights: {
    name: "rights",
    read: (value) => (Array.isArray(value) && value.every(oneOf(RIGHTS)) ? value : undefined),
    must: `be a list of ${RIGHTS.join(", ")}`,
  },
} as const satisfies Readonly<Record<keyof Tenant, Field>>;

/**
 * A keys file: a line that begins with `{` is a tenant as JSON, any other line is a key of the house's own; empty lines and those that begin with #
 * are skipped. Errors: `invalid_argument` with the line's number and field, and nothing of what stands there.
 */
export function parseKeys(text: string): ParsedKeys {
  const tenants: Tenant[] = [];
  const ownDigests: string[] = [];
  const names = new Set<string>();
  const digests = new Set<string>();
  const taken = (digest: string, line: number) => {
    if (digests.has(digest)) throw fault(line, "its key stands in the file twice");
    digests.add(digest);
    if (digests.size > KEYS_MAX) throw fault(line, `there may be ${KEYS_MAX} keys`);
  };
  for (const [index, raw] of text.split("\n").entries()) {
    const written = raw.trim();
    const line = index + 1;
    if (written === "" || written.startsWith("#")) continue;
    if (!written.startsWith("{")) {
      const digest = keyDigest(written);
      // The same key twice was never an error of a list of keys.
      if (!digests.has(digest)) {
        taken(digest, line);
        ownDigests.push(digest);
      }
      continue;
    }
    const tenant = readTenant(written, line);
    if (names.has(tenant.name)) throw fault(line, "its name stands in the file twice");
    names.add(tenant.name);
    for (const digest of tenant.keyDigests) taken(digest, line);
    tenants.push(tenant);
  }
  return { tenants, ownDigests };
}

/** A tenant's line. */
export function formatKeys(tenant: Tenant): string {
  const written = Object.entries(FIELDS).flatMap(([key, field]) => {
    const value = tenant[key as keyof Tenant];
    return value === undefined ? [] : [[field.name, value] as const];
  });
  return JSON.stringify(Object.fromEntries(written));
}

function readTenant(written: string, line: number): Tenant {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    // The parser's own words would repeat what stands there.
    throw fault(line, "it is no JSON object");
  }
  const entries = value as Readonly<Record<string, unknown>>;
  const known = new Map<string, unknown>();
  for (const [key, field] of Object.entries(FIELDS)) {
    const given = entries[field.name];
    if (given === undefined || given === null) continue;
    const read = field.read(given);
    if (read === undefined) throw fault(line, `${field.name} must ${field.must}`);
    known.set(key, read);
  }
  const names = new Set<string>(Object.values(FIELDS).map((field) => field.name));
  const stray = Object.keys(entries).find((key) => !names.has(key));
  if (stray !== undefined) throw fault(line, "it has a field that is not known");
  if (!known.has("name")) throw fault(line, "name is missing");
  if (!known.has("keyDigests")) throw fault(line, "key_sha256 is missing");
  const read = Object.fromEntries(known) as Pick<Tenant, "name" | "keyDigests"> & Partial<Tenant>;
  const defaults = {
    group: read.name,
    priority: "normal" as Priority,
    weight: 1,
    rights: [] as readonly Right[],
  };
  return Object.freeze({ ...defaults, ...read });
}

const fault = (line: number, sentence: string) => new DroverError("invalid_argument", `line ${line}: ${sentence}`);
