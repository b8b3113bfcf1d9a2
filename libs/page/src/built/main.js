import { h, render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiClient, ApiFault } from "./api-client.js";
import { ChatView } from "./chat-view.js";
import { ClusterView } from "./cluster-view.js";
import { DocsView } from "./docs-view.js";
import { KeyForm } from "./key-form.js";

const VIEWS = { chat: "Chat", cluster: "Cluster", docs: "API" }         ;

const isView = (word        )                   => word in VIEWS;

/** The view that the address names: `/docs`, or what stands behind `#`. */
function viewOfAddress()           {
  const word = location.hash.slice(1);
  if (isView(word)) return word;
  return location.pathname === "/docs" ? "docs" : "chat";
}

const client = new ApiClient(sessionStorage.getItem("key") ?? "");

const NOTHING         = { models: [], needsKey: false, problem: "" };

async function findModels()                  {
  try {
    return { ...NOTHING, models: await client.models() };
  } catch (error) {
    if (error instanceof ApiFault && error.status === 401) return { ...NOTHING, needsKey: true };
    return { ...NOTHING, problem: error instanceof Error ? error.message : String(error) };
  }
}

function Page() {
  const [view, setView] = useState(viewOfAddress);
  const [served, setServed] = useState(NOTHING);
  const look = () => void findModels().then(setServed);
  useEffect(look, []);
  useEffect(() => {
    const follow = () => setView(viewOfAddress());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const useKey = (key        ) => {
    sessionStorage.setItem("key", key);
    client.key = key;
    look();
  };
  const links = Object.entries(VIEWS).map(([name, title]) =>
    h("a", { href: `#${name}`, "aria-current": view === name ? "page" : undefined }, title),
  );
  return h(
    "div",
    { class: "frame" },
    h("header", {}, h("h1", {}, "Drover"), h("nav", { "aria-label": "Views" }, links)),
    served.problem === "" ? null : h("p", { class: "problem", role: "alert" }, served.problem),
    served.needsKey
      ? h(KeyForm, { isWrong: client.key !== "", onKey: useKey })
      : [
          // A conversation goes on behind the other views.
          h("div", { class: "view", hidden: view !== "chat" }, h(ChatView, { client, models: served.models })),
          view === "cluster" ? h(ClusterView, { client, models: served.models }) : null,
          view === "docs" ? h(DocsView, { client }) : null,
        ],
  );
}

const root = document.getElementById("page");
if (root !== null) {
  root.replaceChildren();
  render(h(Page, {}), root);
}
