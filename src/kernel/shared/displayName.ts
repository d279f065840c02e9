/** The names of processes for people, also of servers that are down. All names that are shown are made here. */

interface Known {
  readonly name: string | undefined
  readonly label: string | undefined
  /** The id or key that its supervisor gave it. */
  readonly child: string | undefined
  toString(): string
}

/** The name of a process for people: its label, name or pid, with its id or key behind it. @internal */
export const displayName = (record: Known): string => {
  const known = record.label ?? record.name
  if (known !== undefined) return childName(known, record.child)
  return record.child === undefined ? record.toString() : short(record.child)
}

/** The name of a supervised child for people: `app/Worker(tenant-42)`. @internal */
export const childName = (server: string, child: string | undefined): string =>
  child === undefined ? short(server) : `${short(server)}(${short(child)})`

/**
 * What an id adds to the name of the server. Nothing if the name ends with it, as `app/Worker` ends with `Worker`.
 * @internal
 */
export const childId = (server: string, id: string): string | undefined =>
  server === id || server.endsWith(`/${id}`) ? undefined : id

/** The most characters of a name that are shown. Names appear in many lines. */
const MOST = 100

const short = (text: string): string => (text.length <= MOST ? text : `${text.slice(0, MOST)}…`)
