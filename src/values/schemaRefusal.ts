/**
 * Says in one sentence what a Schema refuses: the field, what it expected, and what it got.
 *
 * The refused value is shown within limits, and not at all if a name on the way to it is that of a secret. Then texts
 * that a user's check has made from the value are left out, too.
 */
import * as Cause from "effect/Cause"
import * as Redacted from "effect/Redacted"
import * as SchemaIssue from "effect/SchemaIssue"
import { brief, messageOf, read } from "./describe.ts"
import { attempt } from "./valueKinds.ts"
import { defaultSettings, renderText, type Settings } from "./render.ts"
import { REDACTED } from "./secrets.ts"

/** A refused value and its name: with the name `payload`, one of its fields is called `payload.amount`. */
export interface Refused {
  readonly name: string
  readonly value: unknown
  readonly settings?: Settings | undefined
}

/** Why a value was refused. `error` is what a function of Schema has thrown or failed with. */
export const refusalOf = (error: unknown, refused: Refused): string =>
  attempt(() => sentence(error, refused)) ?? `${refused.name}: its Schema refuses it`

// ---- internals ----------------------------------------------------------------------------------------------------

/** How many fields are named. */
const MOST_FIELDS = 3

/** How many characters of one name, and of what was expected, are shown. */
const MOST_OF_NAME = 100
const MOST_OF_TEXT = 300

const MOST_OF_PATH = 12

type Path = ReadonlyArray<PropertyKey>

/** One field that was refused. */
interface Finding {
  readonly path: Path
  /** The text about it. */
  readonly text: string
  /** The text about it if the value is a secret. Nothing in it was made from the value. */
  readonly closed: string
  /** Whether the field is missing, so that there is no value to show. */
  readonly isMissing: boolean
}

const sentence = (error: unknown, refused: Refused): string => {
  const issue = issueOf(error)
  if (issue === undefined) return `${refused.name}: ${thrownBy(error, refused)}`
  const found: Array<Finding> = []
  collect(issue, [], undefined, found)
  const said = found.slice(0, MOST_FIELDS).map((finding) => findingText(finding, refused))
  const isCut = found.length > MOST_FIELDS
  return [...said, ...(isCut ? ["and more"] : [])].join("; ")
}

/** A Schema throws its issue as the cause of an error, or fails with it. */
const issueOf = (error: unknown): SchemaIssue.Issue | undefined =>
  [error, read(error, "issue"), read(error, "cause")].find(SchemaIssue.isIssue)

/** Code of a user has thrown, a default for example. */
const thrownBy = (error: unknown, { settings }: Refused): string => {
  const cause = read(error, "cause")
  return renderText(messageOf(Cause.isCause(cause) ? Cause.squash(cause) : error), settings, MOST_OF_TEXT)
}

// ---- issues -------------------------------------------------------------------------------------------------------

const SECRET = "its Schema refuses it"

type Said = Pick<Finding, "text" | "closed">

// oxlint-disable-next-line max-params -- an issue, where it is, what its check says, and where it goes
const collect = (issue: SchemaIssue.Issue, path: Path, said: Said | undefined, found: Array<Finding>): void => {
  if (found.length > MOST_FIELDS) return
  if (issue._tag === "Filter") return collect(issue.issue, path, said ?? saidByCheck(issue), found)
  if (issue._tag === "Encoding") return collect(issue.issue, path, said, found)
  if (issue._tag === "Pointer") return collect(issue.issue, [...path, ...issue.path], said, found)
  if ((issue._tag === "Composite" || issue._tag === "AnyOf") && issue.issues.length > 0) {
    for (const inner of issue.issues) collect(inner, path, said, found)
    return
  }
  found.push({ path, isMissing: issue._tag === "MissingKey", ...(said ?? saidOf(issue)) })
}

/** The words of a check, if it has its own. */
const saidByCheck = ({ filter, issue }: SchemaIssue.Filter): Said | undefined => {
  const fixed = textIn(filter.annotations, "message")
  if (fixed !== undefined) return { text: fixed, closed: fixed }
  if (issue._tag !== "InvalidValue") return undefined
  const own = textIn(issue.annotations, "message")
  const expected = textIn(issue.annotations, "expected") ?? textIn(filter.annotations, "expected")
  const closed = expected === undefined ? SECRET : `expected ${expected}`
  return { text: own ?? closed, closed: own === undefined ? closed : SECRET }
}

/** The words of Effect. */
const saidOf = (issue: SchemaIssue.Issue): Said => {
  if (issue._tag === "MissingKey") {
    const text = textIn(issue.annotations, "messageMissingKey") ?? "is missing"
    return { text, closed: text }
  }
  // An option of the Schema could make these words show the value.
  const { input: _, ...bare } = issue
  const [first] = format(bare).issues
  const text = lowered(first?.message ?? SECRET)
  return { text, closed: issue._tag === "InvalidValue" ? SECRET : text }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const textIn = (annotations: unknown, key: string): string | undefined => {
  const text = read(annotations, key)
  return typeof text === "string" ? text : undefined
}

/** Only the first words of Effect's sentences become lower case. A name stays as it is. */
const lowered = (text: string): string =>
  text.replace(/^(?:Expected|Invalid|Unexpected|Forbidden)\b/, (word) => word.toLowerCase())

// ---- texts --------------------------------------------------------------------------------------------------------

const findingText = ({ closed, isMissing, path, text }: Finding, refused: Refused): string => {
  const { name, settings = defaultSettings, value } = refused
  const at = walk(value, path, settings)
  const said = at.isSecret ? closed : renderText(without(secretsIn(value, settings), text), settings, MOST_OF_TEXT)
  const where = `${name}${pathText(path, settings)}`
  if (isMissing || (!at.isSecret && !at.isFound)) return `${where}: ${said}`
  return `${where}: ${said}, got ${at.isSecret ? REDACTED : brief(at.value, settings)}`
}

const pathText = (path: Path, settings: Settings): string => {
  const shown = path.slice(0, MOST_OF_PATH).map((key) => {
    if (typeof key === "number") return `[${key}]`
    const text = renderText(String(key), settings, MOST_OF_NAME)
    return typeof key === "string" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(text)
      ? `.${text}`
      : `[${JSON.stringify(text)}]`
  })
  return shown.join("") + (path.length > MOST_OF_PATH ? "…" : "")
}

interface FoundValue {
  readonly value: unknown
  /** Whether the value can be read without running code of a user. */
  readonly isFound: boolean
  readonly isSecret: boolean
}

/** The value at the end of a path. */
const walk = (value: unknown, path: Path, { secrets }: Settings): FoundValue => {
  let found = value
  let isFound = true
  let isSecret = Redacted.isRedacted(value)
  for (const key of path) {
    const field: PropertyDescriptor | undefined = isFound ? fieldOf(found, key) : undefined
    isFound = field !== undefined
    found = field?.value
    isSecret ||= Redacted.isRedacted(found) || (typeof key === "string" && secrets.hides(key, ANY_TEXT))
  }
  return { value: found, isFound, isSecret }
}

/** Any text will do: whether the name is that of a secret does not depend on the value. */
const ANY_TEXT = ""

const fieldOf = (value: unknown, key: PropertyKey): PropertyDescriptor | undefined => {
  if (typeof value !== "object" || value === null) return undefined
  const field = Object.getOwnPropertyDescriptor(value, key)
  return field !== undefined && "value" in field ? field : undefined
}

/** The secrets in a value. The text of a check of the whole value may contain them. */
const secretsIn = (value: unknown, settings: Settings): ReadonlySet<string> => {
  const found = new Set<string>()
  let nodes = 0
  const look = (value: unknown, isSecret: boolean, depth: number): void => {
    if (nodes++ > settings.limits.nodes || depth > settings.limits.depth) return
    if (Redacted.isRedacted(value)) return look(Redacted.value(value), true, depth)
    if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value).slice(0, MOST_OF_KEYS)) {
        look(fieldOf(value, key)?.value, isSecret || settings.secrets.hides(key, ANY_TEXT), depth + 1)
      }
    } else if (isSecret && (typeof value === "string" || typeof value === "number") && value !== "") {
      found.add(String(value))
    }
  }
  attempt(() => look(value, false, 0))
  return found
}

const MOST_OF_KEYS = 100

const without = (secrets: ReadonlySet<string>, text: string): string => {
  let shown = text
  for (const secret of secrets) shown = shown.replaceAll(secret, REDACTED)
  return shown
}
