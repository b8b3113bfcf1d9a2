import { DroverError } from "@drover/core";
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { toServiceError } from "../errors.ts";
import { type Membership, strangerRefusal } from "./membership.ts";

/**
 * Ends the calls of strangers with UNAUTHENTICATED (`not_a_member`) at their headers: none of their messages is read, and no handler runs. A
 * member pays for one comparison a call, however many messages follow.
 */
export function membersOnly(membership: Membership): ServerInterceptor {
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, toHandler) => {
            const peer = call.getAuthContext().sslPeerCertificate?.raw;
            const refusal = otherName(peer, membership) ?? strangerRefusal(metadata, path, membership);
            if (refusal === undefined) toHandler(metadata);
            else call.sendStatus(toServiceError(new DroverError("not_a_member", refusal)));
          },
        }),
    });
}

/** Why somebody with a certificate of the cluster's authority is no member; undefined where it is. */
function otherName(peer: Uint8Array | undefined, { certificates }: Membership): string | undefined {
  if (certificates === undefined) return undefined;
  const isPeer = peer !== undefined && certificates.isPeer(peer);
  return isPeer ? undefined : "the caller's certificate names nobody of this cluster";
}
