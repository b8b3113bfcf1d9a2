/** Flags of who dials a cluster's processes: how it shows that it is one of them. */
export const MEMBER_FLAGS = {
  clusterSecretFile: {
    kind: "string",
    valueName: "FILE",
    help: "A secret that all processes of the cluster share: others are not answered between them. drover secret makes one.",
  },
  clusterTls: {
    kind: "string",
    valueName: "DIR",
    help: "Encrypt all between the cluster's processes, by tls.crt, tls.key and ca.crt in DIR. drover certificates makes them.",
  },
  membersOnly: {
    kind: "boolean",
    default: true,
    help: "Answer nobody else; --no-members-only while processes that have no secret yet are replaced.",
  },
} as const;
