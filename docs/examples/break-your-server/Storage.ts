/**
 * The history and the database below it: a subtree that fails and recovers by itself.
 *
 * If the database is lost, the store restarts with it. For the rest of the chat only the history is down meanwhile.
 * After too many losses in a second the subtree gives up.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Rpc from "effect/rpc/Rpc"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as GenServer from "effect-otp/behaviour/GenServer"
import * as Supervisor from "effect-otp/supervision/Supervisor"
import * as path from "node:path"
import { Draft, Message } from "./Message.ts"
import { Settings } from "./Settings.ts"
import * as Sqlite from "./Sqlite.ts"

/** The history cannot be read or written at the moment. */
export class HistoryDown extends Schema.TaggedError<HistoryDown>("demo/HistoryDown")("HistoryDown", {
  message: Schema.String
}) {}

/** It says nothing about the database. Its errors are for the log, not for clients. */
export const historyDown = () => new HistoryDown({ message: "the history cannot be read or written at the moment" })

/** The open file. It is not used outside of the subtree, because a restart replaces it. */
class Database extends Context.Service<Database, Sqlite.Sqlite>()("demo/Database") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const { dataDir } = yield* Settings
      const database = yield* Sqlite.open(path.join(dataDir, "chat.sqlite"))
      yield* database.sql`CREATE TABLE IF NOT EXISTS message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room TEXT NOT NULL,
        author TEXT NOT NULL,
        text TEXT NOT NULL,
        sent_at INTEGER NOT NULL
      ) STRICT`
      yield* database.sql`CREATE INDEX IF NOT EXISTS message_by_room ON message (room, id)`
      // This writes to the file, so that it fails now if the file is read-only.
      yield* database.sql`PRAGMA user_version = 1`
      return database
    })
  )

  /** Ends once a statement finds the file closed. It runs a statement of its own from time to time. */
  static readonly watch = ({ sql, closed }: Sqlite.Sqlite) =>
    Effect.raceFirst(closed, Effect.repeat(sql`SELECT 1`, Schedule.spaced("100 millis")))
}

/** Opens the database once, checks it, and says whether a store can work with it. */
export const isHistoryWhole = Effect.gen(function* () {
  const { sql } = Context.get(yield* Layer.build(Database.layer), Database)
  yield* sql`SELECT id, room, author, text, sent_at FROM message LIMIT 0`
  const [found] = yield* sql<{ readonly quick_check: string }>`PRAGMA quick_check(1)`
  return found?.quick_check === "ok"
}).pipe(Effect.scoped)

/** Keeps the messages of all rooms. */
export class Store extends GenServer.Service<Store>()("demo/Store", [
  Rpc.make("append", { payload: { room: Schema.String, ...Draft.fields }, success: Message, error: HistoryDown }),
  /** The first `limit` messages after the message `after`, oldest first. */
  Rpc.make("page", {
    payload: { room: Schema.String, after: Schema.Int, limit: Schema.Int },
    success: Schema.Array(Message),
    error: HistoryDown
  }),
  /** The latest messages, oldest first. */
  Rpc.make("latest", {
    payload: { room: Schema.String, limit: Schema.Int },
    success: Schema.Array(Message),
    error: HistoryDown
  })
]) {
  static readonly layer = this.define({
    init: () => Database.useSync(({ sql }) => sql),
    handlers: {
      append: (message, sql) => Effect.map(insert(sql, message), (saved) => GenServer.reply(saved, sql)),
      page: (payload, sql) => Effect.map(page(sql, payload), (found) => GenServer.reply(found, sql)),
      latest: (payload, sql) => Effect.map(latest(sql, payload), (found) => GenServer.reply(found.toReversed(), sql))
    }
  }).layer()
}

function orHistoryDown<A>(query: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, HistoryDown> {
  return Effect.tapError(query, (error) => Effect.logDebug("A query has failed", error)).pipe(
    Effect.mapError(historyDown)
  )
}

const insert = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, message: Omit<Message, "id" | "sentAt">) {
  const sentAt = yield* Clock.currentTimeMillis
  const row = { room: message.room, author: message.from, text: message.text, sent_at: sentAt }
  const [inserted] = yield* sql<{ readonly id: number }>`INSERT INTO message ${sql.insert(row)} RETURNING id`
  return { ...message, id: inserted!.id, sentAt }
}, orHistoryDown)

const page = (
  sql: SqlClient.SqlClient,
  from: { readonly room: string; readonly after: number; readonly limit: number }
) =>
  orHistoryDown(sql<Message>`
    SELECT id, room, author AS "from", text, sent_at AS "sentAt" FROM message
    WHERE room = ${from.room} AND id > ${from.after} ORDER BY id LIMIT ${from.limit}`)

const latest = (sql: SqlClient.SqlClient, from: { readonly room: string; readonly limit: number }) =>
  orHistoryDown(sql<Message>`
    SELECT id, room, author AS "from", text, sent_at AS "sentAt" FROM message
    WHERE room = ${from.room} ORDER BY id DESC LIMIT ${from.limit}`)

/** Breaks the database: closes the file while its owner uses it, and runs a statement, as the next post would. */
export class Saboteur extends GenServer.Service<Saboteur>()("demo/Saboteur", [Rpc.make("closeDatabase")]) {
  static readonly layer = this.define({
    init: () => Effect.void,
    handlers: {
      closeDatabase: Effect.fnUntraced(function* (_, state) {
        const { handle, sql } = yield* Database
        if (handle.isOpen) handle.close()
        yield* Effect.ignore(sql`SELECT 1`)
        return GenServer.reply(undefined, state)
      })
    }
  }).layer()
}

export class Storage extends Supervisor.Service<Storage>()("demo/Storage", {
  strategy: "restForOne",
  schedule: Schedule.spaced("50 millis"),
  intensity: { max: 5, within: "1 second" },
  children: [
    Supervisor.resource(Database, Database.layer, { id: "database", watch: Database.watch }),
    Supervisor.child(Store.layer, { id: "store" }),
    Supervisor.child(Saboteur.layer, { id: "saboteur" })
  ]
}) {}
