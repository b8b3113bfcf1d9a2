import type { LogFields, Logger } from "@drover/core";
import { silentLogger } from "@drover/core";
import { parseConfig } from "@drover/process";
import { expect, it } from "vitest";
import { routerFlags } from "./config.ts";
import { memoryOf, memoryText, tellMemory } from "./memory.ts";

const flagsOf = (...more: string[]) =>
  parseConfig(routerFlags, { argv: ["--model=m", "--scheduler=127.0.0.1:1", ...more], env: {} });

const sumOf = (text: string) => Number(/in all +(\d+) MiB/.exec(text)?.[1]);

it("what --help tells is the sum of its parts, and each flag that a part names changes it", () => {
  const { parts, totalBytes } = memoryOf(flagsOf());
  expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(totalBytes);
  expect(sumOf(memoryText(flagsOf()))).toBe(Math.ceil(totalBytes / 2 ** 20));
  for (const flag of new Set(parts.flatMap((part) => part.flags))) {
    const value = /(body|memory)$/.test(flag) ? "2MiB" : "2";
    expect(memoryOf(flagsOf(`--${flag}=${value}`)).totalBytes, flag).not.toBe(totalBytes);
  }
});

it("a sum beyond what the process may have is warned of once, by its flags, the largest part's first; one within is not", () => {
  const warned: [string, LogFields | undefined][] = [];
  const logger: Logger = { ...silentLogger, warn: (event, fields) => void warned.push([event, fields]) };
  const { totalBytes } = tellMemory(flagsOf(), Number.POSITIVE_INFINITY, logger);
  tellMemory(flagsOf(), totalBytes, logger);
  expect(warned).toEqual([]);
  tellMemory(flagsOf("--image-memory=64GiB"), totalBytes, logger);
  const [[event, fields] = []] = warned;
  expect([warned.length, event]).toEqual([1, "router.memory_short"]);
  expect(String(fields?.hint)).toMatch(/lower --image-memory, /);
});
