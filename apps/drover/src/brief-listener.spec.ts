import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { listenBriefly } from "./brief-listener.ts";

const host = "127.0.0.1";

test("who connects meanwhile and stays is cut off, and the end does not wait for it", async () => {
  const port = await listenBriefly({ host, port: 0 }, async (own) => {
    // Its side stays open, as a client's that waits for an answer.
    const client = connect({ host, port: own, allowHalfOpen: true });
    client.on("error", () => client.destroy());
    await once(client, "connect");
    return own;
  });
  // The address is free again.
  expect(await listenBriefly({ host, port }, (own) => own)).toBe(port);
});

test("a taken address is the error of listening, and what goes wrong meanwhile ends it too", async () => {
  const other = createServer().listen(0, host);
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  await expect(listenBriefly({ host, port }, () => 0)).rejects.toMatchObject({ code: "EADDRINUSE" });
  other.close();
  await once(other, "close");
  await expect(listenBriefly({ host, port }, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await listenBriefly({ host, port }, (own) => own)).toBe(port);
});
