import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Accounts } from "@drover/tenants";
import { expect, it } from "vitest";
import { runKeys } from "./keys-command.ts";

it("a key that is made is one that routers take, stands in the file as its digest alone, and is none once it is revoked", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-keys-"));
  const file = join(folder, "keys");
  const run = async (...argv: string[]) => {
    const printed: string[] = [];
    await runKeys([...argv, "--file", file], {}, (text) => printed.push(text));
    return printed.join("");
  };
  const key = (await run("create", "acme", "--requests-per-minute", "60", "--rights", "debug")).trim();
  await run("create", "other");
  const text = await readFile(file, "utf8");
  expect(text).not.toContain(key);
  const accounts = new Accounts();
  accounts.use(text, 0);
  expect(accounts.of(key).tenant).toMatchObject({ name: "acme", requestsPerMinute: 60, rights: ["debug"] });
  expect(await run("list")).toMatch(/^acme {2}1 keys {2}.*requestsPerMinute=60/);
  await expect(run("create", "acme")).rejects.toMatchObject({ code: "invalid_argument" });
  await run("revoke", "acme");
  accounts.use(await readFile(file, "utf8"), 0);
  expect(() => accounts.of(key)).toThrow(expect.objectContaining({ code: "unauthenticated" }));
  await expect(run("revoke", "acme")).rejects.toMatchObject({ code: "invalid_argument" });
  await expect(run("destroy", "acme")).rejects.toMatchObject({ code: "invalid_argument" });
  await rm(folder, { recursive: true });
});
