import { h } from "preact";
import { duration, perSecond } from "./amounts.js";
import { speedOf,           } from "./conversation.js";

const ENDS                                   = { length: "ended at its longest", content_filter: "filtered" };

/** One question and its answer, with how fast it came. */
export function TurnView({ turn, onRetry }                                                   ) {
  const { question, attachments, answer, state, problem } = turn;
  return h(
    "article",
    { class: "turn" },
    h(
      "div",
      { class: "question" },
      attachments.map(({ name, url }) =>
        url === undefined ? h("span", { class: "file" }, name) : h("img", { src: url, alt: name, class: "picture" }),
      ),
      h("p", {}, question),
    ),
    h("div", { class: "answer" }, state === "waiting" ? h("p", { class: "faint waiting" }, "…") : h("p", {}, answer)),
    problem === undefined ? null : h("p", { class: "problem", role: "alert" }, problem),
    h(
      "p",
      { class: "faint facts" },
      factsOf(turn),
      onRetry === undefined ? null : h("button", { type: "button", class: "plain", onClick: onRetry }, "Retry"),
    ),
  );
}

function factsOf(turn      )         {
  const speed = speedOf(turn);
  const facts = [
    ...(speed === undefined ? [] : [`first token ${duration(speed.firstTokenMs)}`]),
    ...(speed?.perSecond === undefined ? [] : [perSecond(speed.perSecond)]),
    ...(turn.tokenCount > 0 ? [`${turn.tokenCount} tokens`] : []),
    ...(turn.state === "stopped" ? ["stopped"] : []),
    ...(turn.finish !== undefined && turn.finish in ENDS ? [ENDS[turn.finish]] : []),
  ];
  return facts.join(" · ");
}
