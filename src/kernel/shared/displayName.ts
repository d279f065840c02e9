/** The one place that decides how people know a process, or a server of which no run is up. */

interface Known {
  readonly name: string | undefined
  readonly label: string | undefined
  /** The id it was given in its supervisor, or its key. */
  readonly child: string | undefined
  toString(): string
}

/** How people know a process: by label, name or pid, with its id or key behind it. @internal */
export const displayName = (record: Known): string => {
  const known = record.label ?? record.name
  if (known !== undefined) return childName(known, record.child)
  return record.child === undefined ? record.toString() : short(record.child)
}

/** How people know the child of a supervisor: `app/Worker(tenant-42)`. @internal */
export const childName = (server: string, child: string | undefined): string =>
  child === undefined ? short(server) : `${short(server)}(${short(child)})`

/** What an id adds to the name of the server: nothing if the name ends with it, as `app/Worker` with `Worker`. @internal */
export const childId = (server: string, id: string): string | undefined =>
  server === id || server.endsWith(`/${id}`) ? undefined : id

/** A name is for people, and in many lines. */
const MOST = 100

const short = (text: string): string => (text.length <= MOST ? text : `${text.slice(0, MOST)}…`)
