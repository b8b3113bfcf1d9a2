/** A part of a host's name, of at most so many characters. What has two dashes in a row may claim to be an international name, and be none. */
const label = (most: number) => `[A-Za-z0-9](?:-?[A-Za-z0-9]){0,${Math.floor((most - 1) / 2)}}`;
const HOST = `${label(61)}(?:\\.${label(61)}){0,3}`;
const DATE =
  "[1-9]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))";
const ZONE = "(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
const TIME = `(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?${ZONE}`;
const DAYS = "\\d{1,4}Y(?:\\d{1,2}M(?:\\d{1,2}D)?)?|\\d{1,4}M(?:\\d{1,4}D)?|\\d{1,4}D";
const HOURS = "T(?:\\d{1,4}H(?:\\d{1,4}M(?:\\d{1,4}S)?)?|\\d{1,4}M(?:\\d{1,4}S)?|\\d{1,4}S)";
const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
const GROUP = "[0-9a-fA-F]{1,4}";
const IPV6 = `${GROUP}(?::${GROUP}){7}|${GROUP}(?::${GROUP}){0,2}::${GROUP}(?::${GROUP}){0,2}|::${GROUP}|::`;
/** How many bits of an address name its network. */
const BITS_32 = "(?:[12]?\\d|3[0-2])";
const BITS_128 = "(?:[1-9]?\\d|1[01]\\d|12[0-8])";
/** Networks whose other bits are zero, as Python asks. */
const NETWORK_V4 = `${OCTET}(?:\\.0){3}/8|${OCTET}\\.${OCTET}\\.0\\.0/16|${OCTET}(?:\\.${OCTET}){2}\\.0/24|${IPV4}/32`;
const NETWORK_V6 = `${GROUP}:${GROUP}::/32|${GROUP}(?::${GROUP}){2}::/48|${GROUP}(?::${GROUP}){3}::/64|(?:${IPV6})/128`;
/** How long a URI may be: parts of its host's name, segments of its path, and characters of a segment and of a query. */
type UriLengths = Readonly<{ labels: number; segments: number; segment: number; query: number }>;
const path = ({ segments, segment, query }: UriLengths) =>
  `(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]{0,${segment}}){0,${segments}}(?:\\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]{0,${query}})?(?:#[A-Za-z0-9._~-]{0,${segment}})?`;
const ANY_SCHEME = "(?:https?|ftp|wss?)";
const WEB = "https?";
/** A host whose last part begins with a digit would be an address to browsers. */
const uri = (scheme: string, lengths: UriLengths) =>
  `${scheme}://(?:(?:${label(lengths.segment)}\\.){0,${lengths.labels}}[A-Za-z][A-Za-z0-9]{0,14}|${IPV4})(?::[1-9]\\d{0,3}|:[1-5]\\d{4})?${path(lengths)}`;
const reference = (scheme: string, lengths: UriLengths) =>
  `${uri(scheme, lengths)}|/[A-Za-z0-9._~-]{1,${lengths.segment}}${path(lengths)}`;
/** At most some 1,700, 900 and 250 characters. */
const [LONG, MIDDLE, SHORT] = [
  { labels: 3, segments: 16, segment: 61, query: 256 },
  { labels: 3, segments: 8, segment: 47, query: 200 },
  { labels: 3, segments: 4, segment: 19, query: 24 },
] as const;
const POINTER = "(?:/[A-Za-z0-9_.-]{0,64}){0,16}";
const BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?";
const FILE = "[^\\u0000-\\u001f]+";
const uuid = (version: string) =>
  `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-${version}[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}`;
/** Hashes by how many digits they have. */
const HASHES = Object.entries({ md5: 32, sha1: 40, sha256: 64, sha384: 96, sha512: 128 });
/** What zod says of a text beside the pattern that says it. */
const OF_PATTERNS = ["starts_with", "ends_with", "includes"].map((name) => [name, "[\\s\\S]*"] as const);
const UUIDS = Object.fromEntries(Array.from("12345678", (version) => [`uuid${version}`, uuid(version)]));
/** At most some 250, 90 and 40 characters; the last part of a host is what validators take for one. */
const MAILS = [
  `[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,13}){0,2}@(?:${label(61)}\\.){1,3}[A-Za-z]{2,15}`,
  `[A-Za-z0-9_+-]{1,16}(?:\\.[A-Za-z0-9_+-]{1,15})?@(?:${label(21)}\\.){1,2}[A-Za-z]{2,8}`,
  "[A-Za-z0-9_+-]{1,15}@[A-Za-z0-9]{1,15}\\.[A-Za-z]{2,8}",
] as const;
const whole = (pattern: string) => `^(?:${pattern})$`;

/**
 * A format whose texts may be long: all of them; from wide to narrow those for where a length bounds them; and those for a machine, where another
 * pattern is asked for besides.
 */
type Varied = Readonly<{ wide: string; bounded: readonly string[]; besides: string }>;

const varied = (wide: string, bounded: readonly string[], besides: string): Varied => ({
  wide: whole(wide),
  bounded: bounded.map(whole),
  besides: whole(besides),
});
/** Whose length is bounded is a web address: pydantic's type for those bounds it, and takes no other scheme. */
const byLength = (form: (scheme: string, lengths: UriLengths) => string): Varied =>
  varied(form(ANY_SCHEME, LONG), [form(WEB, LONG), form(WEB, MIDDLE), form(WEB, SHORT)], form(ANY_SCHEME, SHORT));

const MAIL = varied(MAILS[0], MAILS, MAILS[0]);
const URI = byLength(uri);
const REFERENCE = byLength(reference);

/** The formats whose texts may be long, each by its widest pattern. */
export const VARIED: ReadonlyMap<string, Varied> = new Map([MAIL, URI, REFERENCE].map((form) => [form.wide, form]));

/**
 * Formats of strings, each as a pattern: what it takes is of the format, which may have more. Source: the RFCs that JSON Schema names, and what
 * pydantic, zod and Ajv call their own types.
 */
export const FORMATS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    date: DATE,
    time: TIME,
    "date-time": `${DATE}T${TIME}`,
    duration: `P(?:(?:${DAYS})(?:${HOURS})?|${HOURS}|\\d{1,4}W)`,
    hostname: HOST,
    "idn-hostname": HOST,
    ipv4: IPV4,
    ipv6: IPV6,
    ipvanyaddress: `${IPV4}|${IPV6}`,
    cidrv4: `${IPV4}/${BITS_32}`,
    cidrv6: `(?:${IPV6})/${BITS_128}`,
    ipv4interface: `${IPV4}/${BITS_32}`,
    ipv6interface: `(?:${IPV6})/${BITS_128}`,
    ipvanyinterface: `${IPV4}/${BITS_32}|(?:${IPV6})/${BITS_128}`,
    ipv4network: NETWORK_V4,
    ipv6network: NETWORK_V6,
    ipvanynetwork: `${NETWORK_V4}|${NETWORK_V6}`,
    mac: "[0-9A-F]{2}(?::[0-9A-F]{2}){5}",
    e164: "\\+[1-9]\\d{6,14}",
    uuid: "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    ...UUIDS,
    nanoid: "[A-Za-z0-9_-]{21}",
    cuid: "c[0-9a-z]{24}",
    cuid2: "[a-z][0-9a-z]{23}",
    ulid: "[0-7][0-9A-HJKMNP-TV-Z]{25}",
    xid: "[0-9a-v]{20}",
    ksuid: "[A-Za-z0-9]{27}",
    "json-pointer": POINTER,
    "relative-json-pointer": `(?:0|[1-9]\\d{0,3})(?:#|${POINTER})`,
    regex: "[A-Za-z0-9 _-]{0,64}",
    byte: BASE64,
    base64: BASE64,
    base64url: "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?",
    hex: "(?:[0-9a-fA-F]{2})*",
    ...Object.fromEntries(HASHES.map(([name, count]) => [`${name}_hex`, `[0-9a-f]{${count}}`])),
    lowercase: "[^A-Z]*",
    uppercase: "[^a-z]*",
    ...Object.fromEntries(OF_PATTERNS),
    decimal: "-?(?:0|[1-9]\\d{0,17})(?:\\.\\d{1,9})?",
    path: FILE,
    "file-path": FILE,
    "directory-path": FILE,
    html: "[\\s\\S]*",
    markdown: "[\\s\\S]*",
    binary: "[\\s\\S]*",
    password: "[\\s\\S]*",
  })
    .map(([name, pattern]): readonly [string, string] => [name, whole(pattern)])
    .concat(
      named(["email", "idn-email", "name-email"], MAIL),
      named(["uri", "url", "iri", "uri-template"], URI),
      named(["uri-reference", "iri-reference"], REFERENCE),
    ),
);

function named(names: readonly string[], { wide }: Varied): (readonly [string, string])[] {
  return names.map((name) => [name, wide] as const);
}

/** Formats of numbers: whole ones, and between which; undefined for all numbers. Source: the OpenAPI format registry. */
export const NUMBER_FORMATS: ReadonlyMap<string, readonly [min: number, max: number] | undefined> = new Map([
  ["int32", [-(2 ** 31), 2 ** 31 - 1] as const],
  ["int64", [-(2 ** 53) + 1, 2 ** 53 - 1] as const],
  ["float", undefined],
  ["double", undefined],
]);
