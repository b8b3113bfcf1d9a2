import { MEMBER_HEADER } from "@drover/core";
import type { Metadata } from "@grpc/grpc-js";
import type { Certificates } from "../certificates/certificates.ts";
import type { ClusterSecret } from "./cluster-secret.ts";

/** By what the processes of one cluster know each other. */
export type Membership = Readonly<{
  /** Absent: nobody is asked for a proof. */
  secret?: ClusterSecret;
  /** Proofs are given and not asked for: while processes without a secret are being replaced. */
  asksNobody?: boolean;
  /** With them all connections are encrypted, and both ends show theirs. */
  certificates?: Certificates;
}>;

/** Everybody is a member: for tests, and where the network keeps strangers out. */
export const OPEN_CLUSTER: Membership = {};

let own = OPEN_CLUSTER;

/**
 * Makes this process a member: connections that are made and servers that are created from now on prove and ask for it, unless they are given
 * another membership. A process belongs to one cluster for all of its life, so this is done once, before it dials or listens.
 */
export function joinCluster(membership: Membership): void {
  own = membership;
}

/** What `joinCluster` has set. */
export const ownMembership = (): Membership => own;

/** Adds the proof to a call's metadata. */
export function setProof(metadata: Metadata, path: string, { secret }: Membership): Metadata {
  if (secret !== undefined) metadata.set(MEMBER_HEADER, secret.prove(path));
  return metadata;
}

/** Why the call is no member's; undefined where it is. */
export const strangerRefusal = (metadata: Metadata, path: string, membership: Membership): string | undefined =>
  proofRefusal(metadata.get(MEMBER_HEADER)[0], path, membership);

/** As `strangerRefusal`, of whoever gives this proof for what it asks: a gRPC method's path, or `GET /path?query` of HTTP. */
export function proofRefusal(proof: unknown, asked: string, { secret, asksNobody }: Membership): string | undefined {
  return asksNobody ? undefined : secret?.refusal(proof, asked);
}

/** The headers by which this process shows at another one's admin port that it is a member; none where it has no secret. */
export function memberHeaders(asked: string): Readonly<Record<string, string>> {
  const { secret } = own;
  return secret === undefined ? {} : { [MEMBER_HEADER]: secret.prove(asked) };
}
