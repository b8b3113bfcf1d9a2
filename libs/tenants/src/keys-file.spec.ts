import fc from "fast-check";
import { expect, it } from "vitest";
import { keyDigest } from "./key-digest.ts";
import { formatKeys, parseKeys } from "./keys-file.ts";
import { PRIORITIES, RIGHTS, type Tenant } from "./tenant.ts";

const DIGEST = keyDigest("a-key");
const refusal = (text: string) => {
  try {
    parseKeys(text);
    return "taken";
  } catch (error) {
    return String((error as Error).message);
  }
};

const tenant = fc.record(
  {
    name: fc.stringMatching(/^[\w.@-]{1,64}$/),
    group: fc.stringMatching(/^[\w.@-]{1,64}$/),
    keyDigests: fc.uniqueArray(fc.string().map(keyDigest), { minLength: 1, maxLength: 3 }),
    requestsPerMinute: fc.integer({ min: 1 }),
    tokensPerMinute: fc.integer({ min: 1 }),
    concurrentRequests: fc.integer({ min: 1 }),
    kvBytes: fc.integer({ min: 1 }),
    models: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
    priority: fc.constantFrom(...PRIORITIES),
    weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
    rights: fc.subarray([...RIGHTS]),
  },
  { requiredKeys: ["name", "group", "keyDigests", "priority", "weight", "rights"] },
);

it("what is written is read back", () => {
  fc.assert(
    fc.property(tenant, (written) => {
      expect(parseKeys(formatKeys(written)).tenants).toEqual([written]);
    }),
    { numRuns: 60 },
  );
});

it("lines that are no JSON are the house's own keys, as ever; blank ones and comments are none", () => {
  const { tenants, ownDigests } = parseKeys(
    `# ours\n a-key \n\nother\na-key\n{"name":"acme","key_sha256":"${keyDigest("k")}"}\n`,
  );
  expect(ownDigests).toEqual([keyDigest("a-key"), keyDigest("other")]);
  expect(tenants).toEqual<Tenant[]>([
    { name: "acme", group: "acme", keyDigests: [keyDigest("k")], priority: "normal", weight: 1, rights: [] },
  ]);
});

it.each([
  [`{"name":"a"}`, /line 1: key_sha256 is missing/],
  [`\n{"key_sha256":"${DIGEST}"}`, /line 2: name is missing/],
  [`{"name":"a b","key_sha256":"${DIGEST}"}`, /line 1: name must be 1 to 64/],
  [`{"name":"a","key_sha256":"short"}`, /key_sha256 must be the SHA-256/],
  [`{"name":"a","key_sha256":"${DIGEST}","weight":0}`, /weight must be a number/],
  [`{"name":"a","key_sha256":"${DIGEST}","requests_per_minute":0.5}`, /requests_per_minute must be a whole number/],
  [`{"name":"a","key_sha256":"${DIGEST}","models":[]}`, /models must be a list/],
  [`{"name":"a","key_sha256":"${DIGEST}","rights":["root"]}`, /rights must be a list of debug, batches/],
  [`{"name":"a","key_sha256":"${DIGEST}","requests_per_minut":5}`, /a field that is not known/],
  [`{"name":"a","key_sha256":"${DIGEST}"}\n{"name":"a","key_sha256":"${keyDigest("b")}"}`, /line 2: its name .* twice/],
  [`a-key\n{"name":"a","key_sha256":"${DIGEST}"}`, /line 2: its key .* twice/],
  [`{"name": sk-secret}`, /line 1: it is no JSON object/],
])("%s is refused by its line and field, and nothing of it is repeated", (text, said) => {
  expect(refusal(text)).toMatch(said);
  expect(refusal(text)).not.toContain("sk-secret");
  expect(refusal(text)).not.toContain(DIGEST);
});
