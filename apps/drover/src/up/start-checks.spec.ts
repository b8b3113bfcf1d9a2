import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { parseConfig } from "@drover/process";
import { expect, test } from "vitest";
import { checkStart } from "./start-checks.ts";
import { upSpec } from "./up-config.ts";

const NANO = join(import.meta.dirname, "../../../../models/nano");
const ANY_PORTS = ["--http-port", "0", "--grpc-port", "0"];
const check = (...argv: string[]) =>
  checkStart(parseConfig(upSpec, { argv: [...ANY_PORTS, ...argv], env: {} }), NANO, true);
const refusal = (message: RegExp) => ({ code: "invalid_argument", message: expect.stringMatching(message) });

test("a start that can work passes, and says what the model is called", async () => {
  expect(await check()).toMatchObject({ modelName: "nano" });
  expect(await check("--model-name", "other", "--kv-memory", "64MiB")).toMatchObject({ modelName: "other" });
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

test.each([
  ["--kv-memory", "hold 0 tokens", []],
  ["--kv-memory", "hold 0 tokens", ["--kv-dtype", "int8"]],
  ["--expert-memory", "in each of 4 workers hold 0 of", []],
  ["--expert-memory", "in each of 3 workers hold 0 of", ["--expert-workers", "3", "--quantize", "int8"]],
  ["--expert-memory", "in each of 2 workers hold 0 of", ["--expert-workers", "0", "--attention-workers", "2"]],
  ["--vision-cache", "hold the features of no picture", []],
])(
  "%s of 5 bytes is refused with the least that works, which then does, and nothing less (%s, %j)",
  async (flag, what, more) => {
    const failed: Error = await check(flag, "5", ...more).then(
      () => new Error("it was accepted"),
      (error) => error,
    );
    expect(failed.message).toMatch(new RegExp(`^${flag}: 5 bytes ${what}`));
    const [, count = "", unit = ""] = /the least that works is (\d+)([MK]iB)/.exec(failed.message) ?? [];
    expect(await check(flag, `${count}${unit}`, ...more)).toMatchObject({ modelName: "nano" });
    const less = `${Number(count) * 1024 - 1}${unit === "MiB" ? "KiB" : "B"}`;
    await expect(check(flag, less, ...more)).rejects.toMatchObject(refusal(new RegExp(`^${flag}: `)));
  },
);

test("a folder whose name is no model's id asks for one by its flag", async () => {
  const config = parseConfig(upSpec, { argv: ANY_PORTS, env: {} });
  await expect(checkStart(config, `${NANO}/na no`, true)).rejects.toMatchObject(
    refusal(/^--model-name is needed: .*"na no"/),
  );
});
