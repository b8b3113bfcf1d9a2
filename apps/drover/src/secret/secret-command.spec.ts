import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClusterSecret } from "@drover/rpc";
import { expect, it } from "vitest";
import { runSecret } from "./secret-command.ts";

it("each secret is another one, of 256 bits", async () => {
  const printed: string[] = [];
  for (let time = 0; time < 3; time++) await runSecret([], {}, (text) => printed.push(text));
  expect(new Set(printed).size).toBe(3);
  for (const text of printed) expect(text).toMatch(/^[\w-]{43}\n$/);
});

it("a file is made once, for this user alone, and stays as it is", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-secret-"));
  const file = join(folder, "secret");
  expect(await runSecret(["--out", file], {})).toBe(0);
  const text = await readFile(file, "utf8");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await runSecret(["--out", file], {})).toBe(0);
  expect(await readFile(file, "utf8")).toBe(text);
  await rm(folder, { recursive: true });
});

it("what it proves with a secret's file is taken for that question alone", async () => {
  const folder = await mkdtemp(join(tmpdir(), "drover-secret-"));
  const file = join(folder, "secret");
  await runSecret(["--out", file], {});
  const printed: string[] = [];
  const prove = (asked: string) =>
    runSecret(["--prove", asked, "--cluster-secret-file", file], {}, (text) => printed.push(text));
  expect(await prove("GET /debug/worker")).toBe(0);
  const proof = /^drover-member: (\S+)\n$/.exec(printed[0] ?? "")?.[1];
  const secret = ClusterSecret.read(await readFile(file, "utf8"));
  expect(secret.refusal(proof, "GET /debug/worker")).toBeUndefined();
  expect(secret.refusal(proof, "POST /drain?worker=a")).toMatch(/another cluster's secret/);
  await expect(runSecret(["--prove", "GET /debug/worker"], {})).rejects.toMatchObject({ code: "invalid_argument" });
  await rm(folder, { recursive: true });
});

it("outside of a pod, or for two places, it says so", async () => {
  await expect(runSecret(["--kubernetes", "one"], {})).rejects.toMatchObject({ code: "invalid_argument" });
  await expect(runSecret(["--kubernetes", "one", "--out", "two"], {})).rejects.toMatchObject({
    code: "invalid_argument",
  });
});
