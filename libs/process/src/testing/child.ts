import { attachParent } from "../parent.ts";

/** A child process that says all it can, then lives until its parent is gone, and leaves with a status of its own. */
const parent = attachParent();
parent.announce({ kind: "listening", addresses: { http: "127.0.0.1:1" } });
parent.announce({ kind: "ready" });
const alive = setInterval(() => undefined, 1000);
parent.gone.addEventListener("abort", () => {
  clearInterval(alive);
  process.exitCode = 7;
});
