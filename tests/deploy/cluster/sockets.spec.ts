import { expect, test } from "vitest";
import { parseSockets } from "./sockets.ts";

const HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const rest = "00000000:00000000 00:00000000 00000000 10001        0 1365536 1 00000000abe2ed8b 100 0 0 10 0";
const rows = (...lines: readonly string[]) =>
  [HEADER, ...lines.map((line, i) => `   ${i}: ${line} ${rest}`)].join("\n");
/** 10.213.9.10 and .11, as a little-endian machine prints them. */
const [OWN, PEER, LOOPBACK, ANY] = ["0A09D50A", "0B09D50A", "0100007F", "00000000"];
const MAPPED = "0000000000000000FFFF0000";

test("what listens on loopback alone is reachable by nobody", () => {
  const { listening } = parseSockets(rows(`${LOOPBACK}:1F90 ${ANY}:0000 0A`, `${ANY}:C385 ${ANY}:0000 0A`));
  expect([...listening]).toEqual([50053]);
});

test("a connection is accepted at the end that listens and opened at the other", () => {
  const server = parseSockets(rows(`${ANY}:C385 ${ANY}:0000 0A`, `${OWN}:C385 ${PEER}:9C40 01`));
  expect(server).toMatchObject({ accepted: [{ from: "10.213.9.11", port: 50053 }], opened: [] });
  const client = parseSockets(rows(`${PEER}:9C40 ${OWN}:C385 01`));
  expect(client).toMatchObject({ accepted: [], opened: [{ to: "10.213.9.10", port: 50053 }] });
});

test("a closed connection is remembered, an attempt that nobody answers is none", () => {
  const { opened } = parseSockets(rows(`${PEER}:9C40 ${OWN}:C385 06`, `${PEER}:9C42 ${OWN}:C386 02`));
  expect(opened).toEqual([{ to: "10.213.9.10", port: 50053 }]);
});

test("IPv4 inside of IPv6 is the same address, and :: is every one", () => {
  const any6 = ANY.repeat(4);
  const text = rows(`${any6}:C385 ${any6}:0000 0A`, `${MAPPED}${OWN}:C385 ${MAPPED}${PEER}:9C40 01`);
  expect(parseSockets(text).accepted).toEqual([{ from: "10.213.9.11", port: 50053 }]);
  expect(parseSockets(rows(`000000000000000000000000${"01000000"}:C385 ${any6}:0000 0A`)).listening.size).toBe(0);
});
