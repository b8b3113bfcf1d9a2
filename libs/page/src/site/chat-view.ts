import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiClient } from "./api-client.ts";
import type { Attachment } from "./attachments.ts";
import { NO_SETTINGS, readSettings } from "./chat-settings.ts";
import { Composer } from "./composer.ts";
import { answerTurn, askedTurn, chatBody, type Turn } from "./conversation.ts";
import { SettingsPanel } from "./settings-panel.ts";
import { TurnView } from "./turn-view.ts";

/** A conversation: turns, a box to write in, and settings beside it. */
export function ChatView({ client, models }: { client: ApiClient; models: readonly string[] }) {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [model, setModel] = useState("");
  const [settings, setSettings] = useState(NO_SETTINGS);
  const stop = useRef<AbortController>(null);
  const end = useRef<HTMLDivElement>(null);
  const chosen = model === "" ? (models[0] ?? "") : model;
  const read = readSettings(settings);
  const isBusy = ["waiting", "streaming"].includes(turns.at(-1)?.state ?? "");
  useEffect(() => end.current?.scrollIntoView({ block: "end" }), [turns]);

  const ask = async (asked: readonly Turn[]) => {
    const turn = asked.at(-1);
    if (turn === undefined || "problem" in read) return;
    const controller = new AbortController();
    stop.current = controller;
    setTurns(asked);
    const change = (changed: Turn) => setTurns([...asked.slice(0, -1), changed]);
    await answerTurn(client, chatBody(asked, chosen, read), turn, controller.signal, change);
  };
  const send = (question: string, attachments: readonly Attachment[]) =>
    void ask([...turns, askedTurn(question, attachments, performance.now())]);
  const retry = () => {
    const last = turns.at(-1);
    if (last !== undefined)
      void ask([...turns.slice(0, -1), askedTurn(last.question, last.attachments, performance.now())]);
  };
  return h(
    "div",
    { class: "chat" },
    h(
      "main",
      {},
      h(
        "div",
        { class: "turns", role: "log", "aria-live": "polite", "aria-busy": isBusy, "aria-label": "Conversation" },
        turns.length === 0
          ? h("p", { class: "faint" }, "Ask something. Pictures and files of text can be dropped here.")
          : null,
        turns.map((turn, i) => h(TurnView, { turn, onRetry: i === turns.length - 1 && !isBusy ? retry : undefined })),
        h("div", { ref: end }),
      ),
      "problem" in read ? h("p", { class: "problem", role: "alert" }, read.problem) : null,
      h(Composer, {
        isBusy,
        canSend: chosen !== "" && !("problem" in read),
        onSend: send,
        onStop: () => stop.current?.abort(new Error("stopped")),
      }),
    ),
    h(SettingsPanel, {
      ...{ models, model: chosen, settings, onModel: setModel, onSettings: setSettings },
      onClear: isBusy || turns.length === 0 ? undefined : () => setTurns([]),
    }),
  );
}
