import { type ComponentChild, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { byteAmount, duration, plural } from "./amounts.ts";
import type { ApiClient } from "./api-client.ts";
import { clusterChanges } from "./cluster-changes.ts";
import { type ClusterState, roleName, stateOf, type WorkerState } from "./cluster-state.ts";
import { ExpertPicture } from "./expert-picture.ts";

const LOOK_MS = 1000;
const CHANGES_MAX = 100;

type Seen = Readonly<{
  state?: ClusterState | undefined;
  problem: string;
  changes: readonly Readonly<{ at: string; text: string }>[];
}>;

/** The cluster as the router sees it, looked at every second: lanes, workers, KV by kind, experts, and what has happened. */
export function ClusterView({ client, models }: { client: ApiClient; models: readonly string[] }) {
  const [model, setModel] = useState("");
  const chosen = model === "" ? (models[0] ?? "") : model;
  const { state, problem, changes } = useCluster(client, chosen);
  return h(
    "main",
    { class: "cluster" },
    models.length < 2
      ? null
      : h(
          "select",
          {
            "aria-label": "Model",
            value: chosen,
            onChange: (event: Event) => setModel((event.target as HTMLSelectElement).value),
          },
          models.map((id) => h("option", { value: id }, id)),
        ),
    problem === "" ? null : h("p", { class: "problem", role: "alert" }, problem),
    state === undefined
      ? h("p", { class: "faint" }, "The router has not heard of a leading scheduler yet.")
      : h(StateView, { state }),
    h("h2", {}, "What has happened"),
    h(
      "ol",
      { class: "changes", "aria-live": "polite" },
      changes.length === 0 ? h("li", { class: "faint" }, "Nothing since this page was opened.") : null,
      changes.map(({ at, text }) => h("li", {}, h("time", {}, at), " ", text)),
    ),
  );
}

function useCluster(client: ApiClient, model: string): Seen {
  const [seen, setSeen] = useState<Seen>({ problem: "", changes: [] });
  useEffect(() => {
    if (model === "") return;
    let isOver = false;
    let timer = 0;
    const look = async () => {
      const found = await client.cluster(model).then(
        (state) => ({ state, problem: "" }),
        (error: unknown) => ({ problem: error instanceof Error ? error.message : String(error) }),
      );
      if (isOver) return;
      setSeen((before) => ({ ...found, changes: withChanges(before, found) }));
      timer = window.setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [client, model]);
  return seen;
}

function withChanges(before: Seen, found: { state?: ClusterState | undefined; problem: string }): Seen["changes"] {
  if (found.problem !== "") return before.changes;
  const at = new Date().toLocaleTimeString();
  const fresh = clusterChanges(before.state, found.state).map((text) => ({ at, text }));
  return [...fresh.reverse(), ...before.changes].slice(0, CHANGES_MAX);
}

function StateView({ state }: { state: ClusterState }) {
  const { workers, lanes, expertShortage, routerIds, ready } = state;
  return [
    h(
      "p",
      {},
      h("span", { class: ready ? "good" : "bad" }, ready ? "Ready" : "Not ready"),
      ` · ${plural(workers.length, "worker")}, ${plural(routerIds.length, "router")}`,
    ),
    expertShortage ? h("p", { class: "problem" }, expertShortage) : null,
    h("h2", {}, "Queue"),
    h(Table, {
      head: ["Lane", "Waiting", "Oldest", "Predicted wait"],
      rows: lanes.map(({ lane, waitingCount, oldestAgeMs, predictedWaitMs }) => [
        lane,
        String(waitingCount),
        duration(Number(oldestAgeMs)),
        duration(Number(predictedWaitMs)),
      ]),
    }),
    h("h2", {}, "Workers"),
    h(Table, {
      head: ["Worker", "Roles", "State", "Running", "Waiting", "Experts", "Rows", "Stripes", "KV"],
      rows: workers.map(workerCells),
    }),
    h("h2", {}, "Experts"),
    h(ExpertPicture, { state }),
  ];
}

function workerCells(worker: WorkerState) {
  const { workerId, roles, expertCount, status } = worker;
  const state = stateOf(worker);
  return [
    workerId,
    roles.map(roleName).join(", "),
    h("span", { class: state === "ready" ? "good" : "bad" }, state),
    String(status?.runningCount ?? 0),
    String(status?.waitingCount ?? 0),
    String(expertCount),
    Number(status?.expertRowCount ?? 0).toLocaleString("en"),
    Number(status?.stripedTokensKept ?? 0).toLocaleString("en"),
    h(KvBar, { worker }),
  ];
}

/** Global and local KV that sequences refer to, then what is cached of each; the bar's whole is the worker's KV memory. */
function KvBar({ worker: { status } }: { worker: WorkerState }) {
  const most = Number(status?.kvBytesMax ?? 0);
  if (status === undefined || most === 0) return h("span", { class: "faint" }, "–");
  const parts = [
    ["global", status.globalKv?.referenced],
    ["local", status.localKv?.referenced],
    ["global cached", status.globalKv?.cached],
    ["local cached", status.localKv?.cached],
  ] as const;
  const said = parts.map(([name, bytes]) => `${name} ${byteAmount(Number(bytes ?? 0))}`).join(", ");
  let x = 0;
  const bars = parts.map(([name, bytes]) => {
    const width = (Number(bytes ?? 0) / most) * 100;
    x += width;
    return h("rect", { class: `kv-${name.replace(" ", "-")}`, x: x - width, y: 0, width, height: 10 });
  });
  const text = `${byteAmount(Number(status.kvBytesUsed))} of ${byteAmount(most)}`;
  return h(
    "span",
    { class: "kv", title: said },
    h(
      "svg",
      { viewBox: "0 0 100 10", preserveAspectRatio: "none", role: "img", "aria-label": `${text}: ${said}` },
      bars,
    ),
    text,
  );
}

function Table({ head, rows }: { head: readonly string[]; rows: readonly (readonly ComponentChild[])[] }) {
  return h(
    "div",
    { class: "wide" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((title) => h("th", { scope: "col" }, title)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((cells) =>
          h(
            "tr",
            {},
            cells.map((cell) => h("td", {}, cell)),
          ),
        ),
      ),
    ),
  );
}
