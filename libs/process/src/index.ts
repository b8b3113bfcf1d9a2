export { attachEnding, type Ending, EndingSequence } from "./ending.ts";
export { ADDRESS_FLAGS, advertisedHost } from "./flags/address-flags.ts";
export { commandConfig, USAGE_EXIT_STATUS } from "./flags/command-config.ts";
export { type Config, defineConfig } from "./flags/flag.ts";
export { helpText } from "./flags/help-text.ts";
export { LIFE_FLAGS } from "./flags/life-flags.ts";
export { type ConfigSources, parseConfig } from "./flags/parse-config.ts";
export { type Announcement, attachParent } from "./parent.ts";
