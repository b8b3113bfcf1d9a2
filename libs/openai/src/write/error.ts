import { DroverError, ERROR_CODES, type ErrorCode } from "@drover/core";
import { type Static, Type } from "typebox";

/** OpenAI's error object, with a code of Drover's own table. */
export const ErrorReply = Type.Object({
  error: Type.Object({
    message: Type.String({ description: "A sentence, after the field's name where a field is at fault." }),
    type: Type.String({ description: "OpenAI's kind of error." }),
    param: Type.Union([Type.String(), Type.Null()], { description: "The field at fault, as `messages[0].content`." }),
    code: Type.Enum(Object.keys(ERROR_CODES) as ErrorCode[]),
  }),
});

/** The body that tells an error. */
export function errorReply(error: DroverError): Static<typeof ErrorReply> {
  return {
    error: {
      message: error.field === undefined ? error.message : `${error.field}: ${error.message}`,
      type: ERROR_CODES[error.code].type,
      param: error.field ?? null,
      code: error.code,
    },
  };
}

/** What a client may read of an error: an `internal` error's own text stays in the log. */
export function publicError(error: DroverError): DroverError {
  return error.code === "internal" ? new DroverError("internal", "an internal error", { cause: error }) : error;
}
