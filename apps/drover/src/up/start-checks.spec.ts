import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseConfig } from "@drover/process";
import { expect, test } from "vitest";
import { checkStart } from "./start-checks.ts";
import { upSpec } from "./up-config.ts";

const NANO = join(import.meta.dirname, "../../../../models/nano");
const ANY_PORTS = ["--http-port", "0", "--grpc-port", "0"];
const check = (...argv: string[]) => checkStart(parseConfig(upSpec, { argv: [...ANY_PORTS, ...argv], env: {} }), NANO);
const refusal = (message: RegExp) => ({ code: "invalid_argument", message: expect.stringMatching(message) });

test("a start that can work passes, and says what the model is called", async () => {
  expect(await check()).toBe("nano");
  expect(await check("--model-name", "other", "--kv-memory", "64MiB")).toBe("other");
});

test("a port that is in use is named with its flag", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const address = taken.address();
  const port = String(typeof address === "object" ? address?.port : "");
  for (const flag of ["--http-port", "--grpc-port"])
    await expect(check(flag, port)).rejects.toMatchObject(
      refusal(new RegExp(`^${flag}: ${port} of 127.0.0.1 is in use`)),
    );
  taken.close();
});

test("an address that is not this machine's is refused by its flag", async () => {
  await expect(check("--listen", "203.0.113.7")).rejects.toMatchObject(refusal(/^--listen: /));
});

test("one port for both interfaces is refused", async () => {
  await expect(check("--http-port", "18080", "--grpc-port", "18080")).rejects.toMatchObject(
    refusal(/^--http-port and --grpc-port are both 18080/),
  );
});

test.each([
  ["--cluster-secret-file", ["--cluster-secret-file", "/nonexistent/secret"]],
  ["--cluster-secret-file", ["--cluster-secret-file", NANO]],
  ["--cluster-tls", ["--cluster-tls", "/nonexistent"]],
  ["--tls-certificate-file", ["--tls-certificate-file", "/nonexistent/c", "--tls-key-file", "/nonexistent/k"]],
  ["--tls-certificate-file and --tls-key-file", ["--tls-key-file", "/nonexistent/k"]],
])("files of %s that cannot be used are told of before anything starts (%j)", async (flag, argv) => {
  await expect(check(...argv)).rejects.toMatchObject(refusal(new RegExp(`^${flag}: `)));
});

test("KV that holds no conversation is refused with the least that works, which then does", async () => {
  const failed: Error = await check("--kv-memory", "5").then(
    () => new Error("it was accepted"),
    (error) => error,
  );
  expect(failed.message).toMatch(/^--kv-memory: 5 bytes hold 0 tokens/);
  const least = /the least that works is (\d+MiB)/.exec(failed.message)?.[1] ?? "";
  expect(await check("--kv-memory", least)).toBe("nano");
  await expect(check("--kv-memory", "5KiB", "--kv-dtype", "int8")).rejects.toMatchObject(refusal(/^--kv-memory: /));
});

test("a folder whose name is no model's id asks for one by its flag", async () => {
  const config = parseConfig(upSpec, { argv: ANY_PORTS, env: {} });
  await expect(checkStart(config, `${NANO}/na no`)).rejects.toMatchObject(
    refusal(/^--model-name is needed: .*"na no"/),
  );
});
