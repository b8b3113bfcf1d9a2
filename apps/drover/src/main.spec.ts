import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { USAGE_EXIT_STATUS } from "@drover/process";
import { describe, expect, test } from "vitest";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

describe("drover's end", () => {
  test.each([
    { argv: ["--help"], deaf: "stdout", status: 0 },
    { argv: ["no-such-command"], deaf: "stderr", status: USAGE_EXIT_STATUS },
    { argv: ["plan", "--model", "/no/such/folder"], deaf: "stderr", status: USAGE_EXIT_STATUS },
  ] as const)(
    "a reader of $deaf that has gone changes nothing about how $argv ends",
    async ({ argv, deaf, status }) => {
      const child = spawn(process.execPath, ["--conditions=@drover/source", main, ...argv], { stdio: "pipe" });
      child[deaf].destroy();
      const other = text(deaf === "stdout" ? child.stderr : child.stdout);
      const [ended] = await once(child, "close");
      expect({ ended, other: await other }).toEqual({ ended: status, other: "" });
    },
  );

  test.skipIf(!existsSync("/dev/full"))("what a full disk does not take is no success, and is said", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, ["--conditions=@drover/source", main, "--version"], {
      stdio: ["ignore", full, "pipe"],
    });
    const said = child.stderr === null ? "" : text(child.stderr);
    const [ended] = await once(child, "close");
    closeSync(full);
    expect([ended, await said]).toEqual([1, "drover: The output cannot be written: no space is left.\n"]);
  });
});
