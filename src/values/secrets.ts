/**
 * Finds secrets: values under names such as `password`, and credentials in texts.
 *
 * A name is compared word by word, whatever its spelling: `api key` finds `API_KEY`, `x-api-key` and `stripeApiKey`. No
 * function here throws. The time is proportional to the length of the text.
 */

/** The text that replaces a secret. */
export const REDACTED = "<redacted>"

/** Names that mean a secret nearly everywhere. */
export const defaultNames: ReadonlyArray<string | RegExp> = [
  "password",
  "passwd",
  "pwd",
  "pass",
  "passphrase",
  "passcode",
  "pin",
  "secret",
  "token",
  "jwt",
  "bearer",
  "authorization",
  "credential",
  "cookie",
  "csrf",
  "session id",
  "api key",
  "access key",
  "account key",
  "private key",
  "signing key",
  "encryption key",
  "master key"
]

/** Says what is a secret. */
export interface Secrets {
  /** Whether a value under this name is a secret. A count or a flag (`tokenCount: 3`, `hasPassword: true`) is not. */
  readonly hides: (name: string, value: unknown) => boolean
  /** The same text without the credentials in it. */
  readonly text: (text: string) => string
}

/** Makes the check for a list of names. Each list is prepared once. */
export const secretsOf = (names: ReadonlyArray<string | RegExp>): Secrets => {
  let found = prepared.get(names)
  if (found === undefined) prepared.set(names, (found = prepare(names)))
  return found
}

// ---- names --------------------------------------------------------------------------------------------------------

const prepared = new WeakMap<ReadonlyArray<string | RegExp>, Secrets>()

/** Names longer than this are cut before the check. */
const MOST_OF_NAME = 100

/** A name of at least this length is also found at the end of a longer word, as in `accesstoken`. */
const LONG_NAME = 5

type Match = "none" | "inside" | "last"

const prepare = (names: ReadonlyArray<string | RegExp>): Secrets => {
  const patterns = names.filter((name) => name instanceof RegExp)
  const joined = new Set(names.flatMap((name) => (typeof name === "string" ? [wordsOf(name).join("")] : [])))
  joined.delete("")
  const match = (name: string): Match => {
    const cut = name.slice(0, MOST_OF_NAME)
    return patterns.some((pattern) => tests(pattern, cut)) ? "last" : matchOf(wordsOf(cut), joined)
  }
  return {
    hides: (name, value) => hidesValue(value, () => match(name)),
    text: (text) => withoutCredentials(text, (name) => match(name) !== "none")
  }
}

/** Tests a user's pattern. It may have the `g` or `y` flag, which keeps a position from match to match. */
const tests = (pattern: RegExp, name: string): boolean => {
  try {
    pattern.lastIndex = 0
    return pattern.test(name)
  } catch {
    return false
  }
}

const hidesValue = (value: unknown, match: () => Match): boolean => {
  if (value === undefined || value === null || typeof value === "boolean") return false
  const isMeasure = typeof value === "number" || typeof value === "bigint" || value instanceof Date
  return isMeasure ? match() === "last" : match() !== "none"
}

/** The words of a name: `dbPassword2` gives `db`, `password`. */
const wordsOf = (name: string): ReadonlyArray<string> =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .split(/[^\p{L}\p{N}]+/u)
    .map((word) => word.replace(/\d+$/, "").toLowerCase())
    .filter((word) => word !== "")

/** Looks for a secret name or its plural among the words, also as neighbouring words that are written together. */
const matchOf = (words: ReadonlyArray<string>, names: ReadonlySet<string>): Match => {
  let best: Match = "none"
  for (let from = 0; from < words.length; from++) {
    let run = ""
    for (let to = from; to < words.length; to++) {
      run += words[to]!
      const isName = names.has(run) || endsWithName(words[to]!, names)
      if (isName && to === words.length - 1) return "last"
      if (isName || names.has(singular(run)) || endsWithName(singular(words[to]!), names)) best = "inside"
    }
  }
  return best
}

const endsWithName = (word: string, names: ReadonlySet<string>): boolean => {
  for (let length = LONG_NAME; length < word.length; length++) if (names.has(word.slice(-length))) return true
  return false
}

const singular = (word: string): string => (word.endsWith("s") ? word.slice(0, -1) : word)

// ---- texts --------------------------------------------------------------------------------------------------------

/** Whether a text may contain a credential at all. */
const suspicious = /[:=]|bearer|basic|digest|eyJ|PRIVATE KEY/i

const privateKey = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g

/** The part of an address after `//`. It may have a user and a password before an `@`. A port is not a password. */
const addresses = /([a-z][a-z0-9+.-]{0,30}:\/\/)([^\s"'<>`]*)/gi

const port = /^(?:\[[0-9a-f:.]*\]|[^:@/?#]*):\d{1,5}(?=[/?#]|$)/i

/** Web tokens, wherever they stand. */
const webToken = /\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?/g

/** A scheme and its credential. If only lower-case letters follow, it is a word of prose. */
const scheme = /\b([Bb]earer|BEARER|[Bb]asic|BASIC|[Dd]igest)([ \t]{1,4})(?=[^\s,;"']*[0-9A-Z=._~+/-])[^\s,;"']+/g

/** A name, and the characters between it and its value. */
const assignment = /([\p{L}_$][\p{L}\p{N}_$.-]{0,99})(?:\\?["'`])?\s{0,4}(?:=>|[:=])\s{0,4}/gu

/** The value after it: quoted, or up to the next space, comma or bracket. */
const assigned =
  /(?:(?:bearer|basic|digest|token)\s+)?(?:\\?"(?:[^"\\]|\\(?!"))*(?:\\?"|$)|'[^']*(?:'|$)|`[^`]*(?:`|$)|[^\s,;&"'`)\]}]+)/iuy

const withoutCredentials = (text: string, isSecret: (name: string) => boolean): string => {
  if (!suspicious.test(text)) return text
  const plain = text
    .replace(privateKey, REDACTED)
    .replace(addresses, (_, scheme: string, rest: string) => scheme + withoutUser(rest))
    .replace(webToken, REDACTED)
    .replace(scheme, `$1$2${REDACTED}`)
  return withoutAssignments(plain, isSecret)
}

const withoutUser = (rest: string): string => {
  // An address with a port before its path has no user before it, so a later `@` is part of the path.
  if (!rest.includes("@") || port.test(rest)) return rest
  const query = rest.indexOf("?")
  const before = query === -1 ? -1 : rest.lastIndexOf("@", query)
  const end = before === -1 ? rest.lastIndexOf("@") : before
  const path = rest.search(/[/?#]/)
  const isInPath = path !== -1 && path < end && !rest.slice(0, path).includes(":")
  const at = isInPath ? rest.lastIndexOf("@", path) : end
  return at === -1 ? rest : REDACTED + rest.slice(at)
}

const withoutAssignments = (text: string, isSecret: (name: string) => boolean): string => {
  let shown = ""
  let from = 0
  assignment.lastIndex = 0
  for (let found = assignment.exec(text); found !== null; found = assignment.exec(text)) {
    const begin = assignment.lastIndex
    if (!isSecret(found[1]!)) continue
    assigned.lastIndex = begin
    const value = assigned.exec(text)
    if (value === null || value[0] === "" || value[0].startsWith(REDACTED)) continue
    shown += text.slice(from, begin) + REDACTED
    from = assignment.lastIndex = begin + value[0].length
  }
  return from === 0 ? text : shown + text.slice(from)
}
