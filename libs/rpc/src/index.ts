// A process asks another one, and serves what others ask.

export { dropCancelledCalls } from "./cancelled-calls.ts";
export { type Channel, RpcClient } from "./client.ts";
export { fromServiceError, toServiceError } from "./errors.ts";
export { grpcNetwork, type Network } from "./network.ts";
export { requestIdIn, tellIdIn, tellRequestIds } from "./request-id-metadata.ts";
export {
  type BytesHandlers,
  bytesService,
  failStream,
  type RpcHandlers,
  type RpcService,
  rpcService,
} from "./rpc-service.ts";
export { createServer, listen, type PeerIdentity, shutDown } from "./server.ts";
export { serviceDefinition } from "./service.ts";
export { channelOptions } from "./settings.ts";
export { traceOf } from "./trace-metadata.ts";

// Processes of one cluster know each other.

export { Certificates, type CertificateTexts, certificatesOf } from "./certificates/certificates.ts";
export { type CertificatesOrder, makeCertificates } from "./certificates/make-certificates.ts";
export { ClusterSecret, secretsOf } from "./membership/cluster-secret.ts";
export { joinCluster, type Membership, memberHeaders, OPEN_CLUSTER, proofRefusal } from "./membership/membership.ts";

// Builds that agree serve together.

export { agree, PROTOCOL, type Protocol, parseProtocol, protocolText } from "./protocol.ts";

// A stream outlives its calls.

export { STREAM_LIMITS } from "./limits.ts";
export { LivingStream } from "./living-stream.ts";
export { bidiStreamOf, type OpenStream, serverStreamOf, translated } from "./stream-call.ts";

// Rows go to experts and back.

export { bytesOf } from "./expert-frames.ts";
export { expertService } from "./expert-service.ts";
export {
  EXCHANGES,
  type Exchange,
  type ExchangeMeter,
  ExpertStreamPeer,
  type Transport,
} from "./expert-stream-peer.ts";
export { sharedExpertService } from "./shared/shared-answers.ts";

// Old rows of long contexts are held by others.

export { contextService } from "./context-service.ts";
export { ContextStreamHolder } from "./context-stream-holder.ts";
export { KeptSegments } from "./kept-segments.ts";
