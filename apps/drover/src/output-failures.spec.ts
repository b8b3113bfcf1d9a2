import { Writable } from "node:stream";
import { expect, test, vi } from "vitest";
import { OutputFailures } from "./output-failures.ts";

/** An output that fails by this code at every write. */
function failing(code: string): Writable {
  return new Writable({
    autoDestroy: false,
    write: (_bytes, _encoding, done) => done(Object.assign(new Error(code), { code })),
  });
}

const written = (output: Writable) => new Promise((done) => output.write("x", done));

test("an output that fails ends nothing, and its first failure is kept", async () => {
  const [output, errors, onDeaf] = [failing("ENOSPC"), failing("EPIPE"), vi.fn()];
  const failures = new OutputFailures([output, errors], onDeaf);
  expect(failures.of(output)).toBeUndefined();
  await Promise.all([written(output), written(errors)]);
  await vi.waitFor(() => expect(failures.of(output)?.code).toBe("ENOSPC"));
  expect([failures.of(errors)?.code, onDeaf.mock.calls]).toEqual(["EPIPE", []]);
});

test("a command that only shows something hears that nobody reads it any more", async () => {
  const [output, onDeaf] = [failing("EPIPE"), vi.fn()];
  new OutputFailures([output], onDeaf);
  await written(output);
  await vi.waitFor(() => expect(onDeaf).toHaveBeenCalledOnce());
});
