import { isIPv4, isIPv6 } from "node:net";
import { at, tupleOf } from "@drover/core";

/** IPv4 networks that are not the public internet, as [network, prefix length]. Source: IANA's special-purpose registry, and clouds' papers. */
const PRIVATE_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8], // this network, unspecified
  ["10.0.0.0", 8], // private
  ["100.64.0.0", 10], // carrier-grade NAT, and one cloud's metadata
  ["127.0.0.0", 8], // loopback
  ["168.63.129.16", 32], // another cloud's metadata, in the midst of public space
  ["169.254.0.0", 16], // link-local, and most clouds' metadata
  ["172.16.0.0", 12], // private
  ["192.0.0.0", 24], // protocol assignments
  ["192.0.2.0", 24], // documentation
  ["192.31.196.0", 24], // AS112
  ["192.52.193.0", 24], // AMT
  ["192.88.99.0", 24], // 6to4 relays
  ["192.168.0.0", 16], // private
  ["192.175.48.0", 24], // AS112
  ["198.18.0.0", 15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0", 24], // documentation
  ["224.0.0.0", 4], // multicast
  ["240.0.0.0", 4], // reserved, broadcast
];

/** Networks within 2000::/3 that are not public; outside of it nothing is but what carries an IPv4 address. */
const PRIVATE_V6: readonly (readonly [string, number])[] = [
  ["2001::", 23], // protocol assignments, Teredo and ORCHID among them
  ["2001:db8::", 32], // documentation
  ["2620:4f:8000::", 48], // AS112
  ["3ffe::", 16], // the 6bone of old
  ["3fff::", 20], // documentation
];

/** Networks whose addresses carry an IPv4 address, and at which 16-bit group it begins. */
const CARRIERS: readonly Readonly<{ network: string; prefix: number; group: number }>[] = [
  { network: "::ffff:0:0", prefix: 96, group: 6 }, // mapped
  { network: "64:ff9b::", prefix: 96, group: 6 }, // NAT64
  { network: "2002::", prefix: 16, group: 1 }, // 6to4
];

/**
 * Whether an address, as text, is one of the public internet: not loopback, private, link-local, shared, multicast, reserved, documentation or
 * a cloud's metadata, in no form that carries such an address either. What is no address, or has a zone, is not public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return isPublicV4(groupsOfV4(address));
  // A zone (`%eth0`) only makes sense on a link.
  return isIPv6(address) && !address.includes("%") && isPublicV6(groupsOfV6(address));
}

function isPublicV4(groups: readonly number[]): boolean {
  return !PRIVATE_V4.some(([network, prefix]) => isWithin(groups, groupsOfV4(network), prefix));
}

function isPublicV6(groups: readonly number[]): boolean {
  for (const { network, prefix, group } of CARRIERS) {
    if (isWithin(groups, groupsOfV6(network), prefix)) return isPublicV4(groups.slice(group, group + 2));
  }
  if (!isWithin(groups, groupsOfV6("2000::"), 3)) return false;
  if (PRIVATE_V6.some(([network, prefix]) => isWithin(groups, groupsOfV6(network), prefix))) return false;
  // ISATAP tunnels to the IPv4 address in the last groups.
  const isIsatap = (at(groups, 4) & 0xfdff) === 0 && groups[5] === 0x5efe;
  return !isIsatap || isPublicV4(groups.slice(6));
}

/** Whether the first `prefix` bits are the network's. Groups have 16 bits. */
function isWithin(groups: readonly number[], network: readonly number[], prefix: number): boolean {
  return network.every((group, index) => {
    const bits = Math.min(Math.max(prefix - index * 16, 0), 16);
    const mask = (0xffff << (16 - bits)) & 0xffff;
    return (group & mask) === (at(groups, index) & mask);
  });
}

/** A valid IPv4 address as two groups of 16 bits. */
function groupsOfV4(address: string): readonly number[] {
  const [first, second, third, fourth] = tupleOf(address.split(".").map(Number), 4);
  return [first * 256 + second, third * 256 + fourth];
}

/** A valid IPv6 address as eight groups of 16 bits. */
function groupsOfV6(address: string): readonly number[] {
  const [head, tail] = address.split("::");
  const left = head === undefined ? [] : groupsOfPart(head);
  const right = tail === undefined ? [] : groupsOfPart(tail);
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

function groupsOfPart(part: string): readonly number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => (group.includes(".") ? groupsOfV4(group) : [Number.parseInt(group, 16)]));
}
