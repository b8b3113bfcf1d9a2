import { BATCH_CUSTOM_ID_LENGTH_MAX } from "../limits.ts";
import { eventJson, oneLine } from "../write/reply-frame.ts";

/** A request of a batch: its client's name for it, and the JSON of its body. */
export type BatchLine = Readonly<{ customId: string; body: string }>;

/** Why a line is none. */
export type BatchLineFault = Readonly<{ code: string; message: string }>;

/** Reads a line of a batch's file for the endpoint that the batch is for. */
export function readBatchLine(text: string, endpoint: string): BatchLine | BatchLineFault {
  const fault = (code: string, message: string): BatchLineFault => ({ code, message });
  const line = parsed(text);
  if (typeof line !== "object" || line === null || Array.isArray(line))
    return fault("invalid_json_line", "the line is no JSON object");
  const { custom_id: customId, method, url, body } = line as Readonly<Record<string, unknown>>;
  if (typeof customId !== "string" || customId === "" || customId.length > BATCH_CUSTOM_ID_LENGTH_MAX)
    return fault(
      "missing_required_parameter",
      `custom_id must be a text of 1 to ${BATCH_CUSTOM_ID_LENGTH_MAX} characters`,
    );
  if (method !== "POST") return fault("invalid_method", "method must be POST");
  if (url !== endpoint) return fault("mismatched_endpoint", `url must be ${endpoint}, as the batch says`);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return fault("missing_required_parameter", "body must be a JSON object");
  if ("stream" in body && body.stream === true) return fault("invalid_request", "body.stream must not be true");
  return { customId, body: JSON.stringify(body) };
}

/** Undefined for what is no JSON, or nested too deep to be written again. */
function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // What is nested too deep cannot be written again.
    JSON.stringify(value);
    return value;
  } catch {
    return undefined;
  }
}

/** The line of a request that was answered, with an answer or an error as JSON; one to every reader of lines. */
export function answeredLine(id: string, customId: string, status: number, body: string): string {
  const head = JSON.stringify({ id, custom_id: customId }).slice(0, -1);
  const answered = JSON.stringify({ status_code: status, request_id: id }).slice(0, -1);
  return `${oneLine(`${head},"response":${answered},"body":${body}},"error":null}`)}\n`;
}

/** The line of a request whose time was over, or whose batch was cancelled, before it had an answer. */
export function unansweredLine(id: string, customId: string, code: string, message: string): string {
  return `${eventJson({ id, custom_id: customId, response: null, error: { code, message } })}\n`;
}
