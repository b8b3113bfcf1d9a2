
import { serverEvents } from "./server-events.js";

/** What the server said in place of an answer. */
export class ApiFault extends Error {
           status        ;

  constructor(status        , message        ) {
    super(message);
    this.status = status;
  }
}

/** A piece of an answer's text, or at its end why it ended and how many tokens it had. */

/** The router that this page is from, by its public interface. */
export class ApiClient {
  key        ;

  constructor(key        ) {
    this.key = key;
  }

  /** Ids of the served models. Throws `ApiFault`. */
  async models()                    {
    const { data } = (await this.#json("/v1/models"))                                       ;
    return data.map(({ id }) => id);
  }

  /** Undefined while the router has not heard of a scheduler that leads. Throws `ApiFault`. */
  async cluster(model        )                                    {
    const state = (await this.#json(`/debug/cluster?model=${encodeURIComponent(model)}`))                ;
    return state.schedulerId === undefined || state.schedulerId === "" ? undefined : state;
  }

  /** The interface's description. Throws `ApiFault`. */
  openApi()                   {
    return this.#json("/openapi.json");
  }

  /** Streams an answer. Throws `ApiFault`, and the signal's reason once it aborts. */
  async *chat(body                                   , signal             )                            {
    const init = { method: "POST", body: JSON.stringify(body), signal };
    const response = await this.#fetch("/v1/chat/completions", init);
    if (response.body === null) throw new ApiFault(response.status, "the server answered without a body");
    for await (const data of serverEvents(response.body)) {
      if (data === "[DONE]") return;
      const { error, choices, usage } = JSON.parse(data)             ;
      if (error !== undefined) throw new ApiFault(500, error.message ?? "the answer ended with an error");
      const [choice] = choices ?? [];
      if (choice?.delta?.content) yield { text: choice.delta.content };
      if (choice?.finish_reason) yield { finish: choice.finish_reason };
      if (usage?.completion_tokens !== undefined) yield { tokenCount: usage.completion_tokens };
    }
    throw new ApiFault(500, "the answer was cut off");
  }

  async #json(path        )                   {
    return (await this.#fetch(path, {})).json();
  }

  async #fetch(path        , init             )                    {
    const headers                         = { "content-type": "application/json" };
    if (this.key !== "") headers.authorization = `Bearer ${this.key}`;
    const response = await fetch(path, { ...init, headers });
    if (response.ok) return response;
    const text = await response.text();
    throw new ApiFault(response.status, messageIn(text) ?? `status ${response.status}`);
  }
}

function messageIn(text        )                     {
  try {
    return (JSON.parse(text)                                    ).error?.message;
  } catch {
    // A proxy's page, say.
    return undefined;
  }
}
