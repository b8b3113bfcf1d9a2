import fc from "fast-check";
import { expect, test } from "vitest";
import { refused } from "../testing/tiny-facts.ts";
import { readForm } from "./multipart.ts";

/** What a browser's form would send. */
async function sent(fields: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[]) {
  const form = new FormData();
  for (const [name, bytes] of fields) form.append(name, new Blob([bytes]), "a.jsonl");
  const request = new Request("http://a.example", { method: "POST", body: form });
  return { type: request.headers.get("content-type") ?? "", body: new Uint8Array(await request.arrayBuffer()) };
}

test("a form's fields are read as they were written, whatever bytes they have", async () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((one) => Uint8Array.from(one));
  const field = fc.tuple(fc.stringMatching(/^[a-z_]{1,8}$/), bytes);
  await fc.assert(
    fc.asyncProperty(fc.array(field, { minLength: 1, maxLength: 5 }), async (fields) => {
      const { type, body } = await sent(fields);
      expect(readForm(type, body).map(({ name, bytes }) => [name, [...bytes]])).toEqual(
        fields.map(([name, bytes]) => [name, [...bytes]]),
      );
    }),
    { numRuns: 50 },
  );
});

test("what is no whole form is refused, wherever it is cut", async () => {
  const { type, body } = await sent([["file", Uint8Array.of(1, 2, 3)]]);
  for (let length = 0; length < body.length - 4; length++)
    expect(refused(() => readForm(type, body.subarray(0, length)))[0]).toBe("invalid_argument");
  expect(refused(() => readForm("application/json", body))[0]).toBe("invalid_argument");
  const many = await sent(Array.from({ length: 17 }, () => ["a", Uint8Array.of(1)] as const));
  expect(refused(() => readForm(many.type, many.body))[1]).toMatch(/at most 16 fields/);
});
