/** The header, of HTTP and gRPC, by which a process shows that it is of the cluster. */
export const MEMBER_HEADER = "drover-member";
