// A process's whole life.

export { type Ending, EndingSequence, signalExitStatus } from "./ending.ts";
export { commandConfig, USAGE_EXIT_STATUS } from "./flags/command-config.ts";
// Who it is to its peers, and files that it keeps up with.

export { enterCluster } from "./enter-cluster.ts";
export { readSmallFile } from "./files/read-together.ts";
export { type CertificateFiles, certificateFilesIn, watchCertificates } from "./files/watched-certificates.ts";
export { watchFileText } from "./files/watched-file.ts";
// Its parts: what it was told, how it ends, who started it.
export { type Config, defineConfig, flagName } from "./flags/flag.ts";
export { helpText } from "./flags/help-text.ts";
export { likest } from "./flags/likest.ts";
export { MEMBER_FLAGS } from "./flags/member-flags.ts";
export { type ConfigSources, parseConfig } from "./flags/parse-config.ts";
export { PROCESS_FLAGS } from "./flags/process-flags.ts";
export { type Announcement, attachParent } from "./parent.ts";
export { type Life, type ProcessSpec, type StartedProcess, serve } from "./serve.ts";
export { SignalOrder } from "./signal-order.ts";
// What a command says.

export { StandardError } from "@drover/telemetry";
export { VERSION } from "./version.ts";
