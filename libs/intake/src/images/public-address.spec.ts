import { describe, expect, test } from "vitest";
import { isPublicAddress } from "./public-address.ts";

describe("an address is not public when it is", () => {
  test.each([
    ["unspecified", "0.0.0.0", "0.1.2.3", "::"],
    ["loopback", "127.0.0.1", "127.255.255.254", "::1"],
    ["private", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fdff::1"],
    ["link-local", "169.254.0.1", "fe80::1", "febf::1", "fe80::1%eth0", "fec0::1"],
    ["shared by a carrier", "100.64.0.0", "100.127.255.255"],
    ["a cloud's metadata", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"],
    ["multicast or broadcast", "224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"],
    [
      "reserved",
      "240.0.0.1",
      "192.0.0.1",
      "198.18.0.1",
      "198.19.255.255",
      "192.88.99.1",
      "4000::1",
      "100::1",
      "5f00::1",
    ],
    ["documentation", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    ["mapped from one that is not", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:a00:1", "::FFFF:192.168.1.1"],
    ["compatible with IPv4", "::127.0.0.1", "::8.8.8.8", "::ffff:0:8.8.8.8"],
    ["translated by NAT64 from one that is not", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8"],
    [
      "a 6to4 or Teredo tunnel to one that is not",
      "2002:7f00:1::1",
      "2002:c0a8:101::",
      "2002:a9fe:a9fe::1",
      "2001:0:7f00:1::1",
    ],
    ["an ISATAP tunnel to one that is not", "2600::5efe:10.0.0.1", "2600::200:5efe:127.0.0.1"],
    ["no address", "", "localhost", "1.2.3", "0x7f.1", "2130706433", "1.2.3.4.5", "[::1]", "1::2::3"],
  ])("%s", (_kind, ...addresses) => {
    for (const address of addresses) expect(isPublicAddress(address), address).toBe(false);
  });
});

test.each([
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "168.63.129.17",
  "169.253.255.255",
  "192.167.255.255",
  "223.255.255.255",
  "2606:4700::1111",
  "2a00:1450:4001::200e",
  "2001:4860:4860::8888",
  "::ffff:8.8.8.8",
  "64:ff9b::8.8.8.8",
  "2002:808:808::1",
  "2600::5efe:8.8.8.8",
])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});
