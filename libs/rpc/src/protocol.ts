import type { Metadata } from "@grpc/grpc-js";

/** What one build speaks with its peers. */
export type Protocol = Readonly<{
  /** Rises with every change of what processes say to each other, or leave in the queue. */
  version: number;
  /** The oldest version that it understands and is understood by. */
  oldest: number;
}>;

/** This build's own. `oldest` follows `version` only where a change would be misread by what came before: a rollout then refuses instead of mixing. */
export const PROTOCOL: Protocol = { version: 2, oldest: 2 };

/** Every call between Drover's processes names its build's protocol: a stream's handshake, and each call without a stream. */
const PROTOCOL_HEADER = "drover-protocol";

/** What spoke before calls named a protocol. */
const UNNAMED: Protocol = { version: 1, oldest: 1 };

/** Both understand each other. The rule is the same on both sides, so that either of them may apply it. */
export function agree(one: Protocol, other: Protocol): boolean {
  return one.version >= other.oldest && other.version >= one.oldest;
}

/** `version/oldest`, as a header and in messages for people. */
export const protocolText = ({ version, oldest }: Protocol): string => `${version}/${oldest}`;

export function setProtocol(metadata: Metadata, protocol: Protocol): Metadata {
  metadata.set(PROTOCOL_HEADER, protocolText(protocol));
  return metadata;
}

/** The caller's. */
export const protocolOf = (metadata: Metadata): Protocol => parseProtocol(metadata.get(PROTOCOL_HEADER)[0]);

/** What `protocolText` wrote; version 1 for whatever else. */
export function parseProtocol(text: unknown): Protocol {
  const [, version, oldest] = /^(\d{1,9})\/(\d{1,9})$/.exec(String(text)) ?? [];
  return version === undefined ? UNNAMED : { version: Number(version), oldest: Number(oldest) };
}
