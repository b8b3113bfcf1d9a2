/** Flags that every process of a cluster has: where it is watched, and how it ends. */
export const LIFE_FLAGS = {
  adminPort: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 65_535,
    valueName: "PORT",
    help: "Port of /livez, /readyz and /metrics; 0: any free one.",
  },
  stallAfter: {
    kind: "duration",
    default: "5m",
    min: 1000,
    valueName: "TIME",
    help: "/livez fails when the main loop has not turned for so long.",
  },
  drainDelay: {
    kind: "duration",
    default: "5s",
    min: 0,
    valueName: "TIME",
    help: "After SIGTERM new work is still taken for so long: who sends it hears of the end a moment later.",
  },
  drainGrace: {
    kind: "duration",
    default: "60s",
    min: 0,
    valueName: "TIME",
    help: "After the delay, what runs may take so long to finish; then it is handed back or cut off.",
  },
} as const;
