import { silentLogger, systemClock } from "@drover/core";
import { createServer, ExpertStreamPeer, expertService, listen } from "@drover/rpc";
import { expect, test } from "vitest";
import { UnansweredExperts, WholeExperts } from "./whole-experts.ts";

test("whoever asks a card that has all experts for its own steps is refused, again and again", async () => {
  const whole = new WholeExperts(4);
  await whole.load(1, 2);
  expect(whole.loaded()).toEqual([{ layer: 1, experts: [2] }]);
  const server = createServer();
  server.addService(...expertService(new UnansweredExperts(whole.hiddenSize)));
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  using peer = new ExpertStreamPeer("w", address, systemClock, silentLogger, { exchanged: () => undefined });
  await expect.poll(() => peer.connected).toBe(true);
  const share = { layer: 1, experts: Int32Array.of(2), counts: Int32Array.of(1), rows: Int32Array.of(0) };
  const rows = { z_aD: new Float32Array(4), y_aD: new Float32Array(4), width: 4 };
  for (let i = 0; i < 2; i++) expect(await peer.call({ ...share, ...rows })).toBe(false);
  expect(peer.connected).toBe(true);
  server.forceShutdown();
});
