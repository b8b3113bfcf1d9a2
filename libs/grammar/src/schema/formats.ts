const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
const HOST = `${LABEL}(?:\\.${LABEL}){0,6}`;
const DATE =
  "[1-9]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))";
const ZONE = "(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
const TIME = `(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?${ZONE}`;
const DAYS = "\\d{1,4}Y(?:\\d{1,2}M(?:\\d{1,2}D)?)?|\\d{1,4}M(?:\\d{1,4}D)?|\\d{1,4}D";
const HOURS = "T(?:\\d{1,4}H(?:\\d{1,4}M(?:\\d{1,4}S)?)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S)";
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const GROUP = "[0-9a-fA-F]{1,4}";
const PATH = "(?:/[A-Za-z0-9._~-]{0,64}){0,16}(?:\\?[A-Za-z0-9._~=&-]{0,256})?(?:#[A-Za-z0-9._~-]{0,64})?";
const URI = `(?:https?|ftp|wss?)://${HOST}(?::[1-9]\\d{0,3})?${PATH}`;
const POINTER = "(?:/[A-Za-z0-9_.-]{0,64}){0,16}";
const MAIL = `[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,31}){0,1}@${LABEL}(?:\\.${LABEL}){1,4}`;

/** Formats of strings, each as a pattern: what it takes is of the format, which may have more. Source: the RFCs that JSON Schema names. */
export const FORMATS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    date: DATE,
    time: TIME,
    "date-time": `${DATE}T${TIME}`,
    duration: `P(?:(?:${DAYS})(?:${HOURS})?|${HOURS}|\\d{1,4}W)`,
    email: MAIL,
    "idn-email": MAIL,
    hostname: HOST,
    "idn-hostname": HOST,
    ipv4: `${OCTET}(?:\\.${OCTET}){3}`,
    ipv6: `${GROUP}(?::${GROUP}){7}|${GROUP}(?::${GROUP}){0,2}::${GROUP}(?::${GROUP}){0,2}|::${GROUP}|::`,
    uri: URI,
    iri: URI,
    "uri-reference": `${URI}|/[A-Za-z0-9._~-]{1,64}${PATH}`,
    "iri-reference": `${URI}|/[A-Za-z0-9._~-]{1,64}${PATH}`,
    "uri-template": URI,
    uuid: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "json-pointer": POINTER,
    "relative-json-pointer": `(?:0|[1-9]\\d{0,3})(?:#|${POINTER})`,
    regex: "[A-Za-z0-9 _-]{0,64}",
    byte: "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    binary: "[\\s\\S]*",
    password: "[\\s\\S]*",
  }).map(([name, pattern]) => [name, `^(?:${pattern})$`] as const),
);

/** Formats of numbers: whole ones, and between which; undefined for all numbers. Source: the OpenAPI format registry. */
export const NUMBER_FORMATS: ReadonlyMap<string, readonly [min: number, max: number] | undefined> = new Map([
  ["int32", [-(2 ** 31), 2 ** 31 - 1] as const],
  ["int64", [-(2 ** 53) + 1, 2 ** 53 - 1] as const],
  ["float", undefined],
  ["double", undefined],
]);
