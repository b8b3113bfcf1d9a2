import { isIP, isIPv4, isIPv6 } from "node:net";
import { assert } from "@drover/core";
import { describe, expect, it } from "vitest";
import { chance } from "../testing/chance.ts";
import { sampleText } from "../testing/sample-text.ts";
import { FORMATS } from "./formats.ts";
import { schemaGrammar } from "./schema-grammar.ts";

const SAMPLES = 200;

function* samples(format: string): Iterable<string> {
  const grammar = schemaGrammar({ type: "string", format }, "s");
  const random = chance(4711);
  for (let i = 0; i < SAMPLES; i++) yield JSON.parse(sampleText(grammar, random, 200)) as string;
}

/** An address and the count of bits behind it. */
function parted(text: string): readonly [address: string, bits: number] {
  const [address, bits, ...rest] = text.split("/");
  assert(address !== undefined && rest.length === 0, "a network is an address and at most one count");
  return [address, Number(bits)];
}

const isAmong = (text: string, is: (address: string) => boolean, most: number) => {
  const [address, bits] = parted(text);
  return is(address) && bits >= 0 && bits <= most;
};

/** Whether no bit of a dotted address is set behind those that name its network. */
function isNetworkV4(text: string): boolean {
  const [address, bits] = parted(text);
  if (!isIPv4(address) || bits > 32) return false;
  const number = address.split(".").reduce((sum, octet) => sum * 256n + BigInt(octet), 0n);
  return number % 2n ** BigInt(32 - bits) === 0n;
}

const JUDGES: Readonly<Record<string, (text: string) => boolean>> = {
  ipvanyaddress: (text) => isIP(text) !== 0,
  cidrv4: (text) => isAmong(text, isIPv4, 32),
  cidrv6: (text) => isAmong(text, isIPv6, 128),
  ipv4interface: (text) => isAmong(text, isIPv4, 32),
  ipv6interface: (text) => isAmong(text, isIPv6, 128),
  ipv4network: isNetworkV4,
  ipv6network: (text) => isAmong(text, isIPv6, 128),
  uuid4: (text) => text.charAt(14) === "4" && text.replaceAll("-", "").length === 32,
  base64url: (text) => Buffer.from(text, "base64url").length === Math.floor((text.length * 3) / 4),
  base64: (text) => Buffer.from(text, "base64").toString("base64").length === text.length,
  url: (text) => URL.canParse(text),
  decimal: (text) => Number.isFinite(Number(text)),
  mac: (text) => text.split(":").every((byte) => Number.parseInt(byte, 16) <= 255) && text.length === 17,
};

describe("a format of pydantic's, zod's or Ajv's", () => {
  it.each(Object.entries(JUDGES))("is written as it is: %s", (format, judge) => {
    for (const text of samples(format)) expect(judge(text), text).toBe(true);
  });

  it("is written in more than its shortest texts where its length is bounded", () => {
    const grammar = schemaGrammar({ type: "string", format: "email", maxLength: 100 }, "s");
    const random = chance(4711);
    const lengths = Array.from({ length: SAMPLES }, () => sampleText(grammar, random, 200).length);
    expect(new Set(lengths).size).toBeGreaterThan(10);
  });

  it("is a web address where its length is bounded, as pydantic bounds those alone", () => {
    const grammar = schemaGrammar({ type: "string", format: "uri", minLength: 1, maxLength: 2083 }, "s");
    const random = chance(4711);
    for (let i = 0; i < SAMPLES; i++) expect(JSON.parse(sampleText(grammar, random, 200))).toMatch(/^https?:/);
  });

  it("is there for each version of a UUID", () => {
    for (let version = 1; version <= 8; version++) expect(FORMATS.has(`uuid${version}`)).toBe(true);
  });
});
