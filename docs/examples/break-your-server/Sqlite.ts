/**
 * `node:sqlite` as the `SqlClient` of `effect/sql`: one file, one connection, statements one at a time.
 *
 * It uses a write-ahead log with `synchronous = NORMAL`. The operating system has every statement that succeeded, so
 * `kill -9` loses none. A power cut can lose the last ones. `FULL` prevents that, too, but then every statement waits
 * for the disk and blocks the event loop meanwhile: 5 ms instead of 0.1, and now and then 200.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import * as SqlError from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync, type SQLInputValue } from "node:sqlite"

export interface Sqlite {
  readonly sql: SqlClient.SqlClient
  /** The handle below the client. */
  readonly handle: DatabaseSync
  /** Fails as soon as a statement finds the handle closed. */
  readonly closed: Effect.Effect<never, SqlError.SqlError>
}

/** Opens a database file. Creates the file and its folder if they are missing. */
export const open = Effect.fnUntraced(function* (file: string) {
  const handle = yield* Effect.acquireRelease(
    attempt(`open ${file}`, () => {
      makeFolder(path.dirname(file))
      return new DatabaseSync(file)
    }),
    (handle) => Effect.sync(() => handle.isOpen && handle.close())
  )
  yield* attempt("configure", () =>
    handle.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000")
  )
  const closed = yield* Deferred.make<never, SqlError.SqlError>()
  const sql = yield* clientOf(handle, (error) => (handle.isOpen ? Effect.void : Deferred.fail(closed, error)))
  return { sql, handle, closed: Deferred.await(closed) } satisfies Sqlite
})

/**
 * One folder after the other, because with `recursive` Node never returns if no folder can be made, in `/proc` for
 * example.
 */
const makeFolder = (folder: string): void => {
  const there = fs.statSync(folder, { throwIfNoEntry: false })
  if (there?.isDirectory() === true) return
  const parent = path.dirname(folder)
  if (there === undefined && parent !== folder) makeFolder(parent)
  fs.mkdirSync(folder)
}

type OnError = (error: SqlError.SqlError) => Effect.Effect<unknown>

const clientOf = (handle: DatabaseSync, onError: OnError): Effect.Effect<SqlClient.SqlClient, never, Scope.Scope> =>
  Effect.flatMap(Semaphore.make(1), (semaphore) =>
    SqlClient.make({
      ...SqlClient.makeSqliteAcquirers({
        connection: Effect.succeed(connectionOf(handle, onError)),
        semaphore,
        isTransaction: () => handle.isTransaction
      }),
      driver: "node:sqlite",
      compiler: Statement.makeCompilerSqlite(),
      beginTransaction: "BEGIN IMMEDIATE",
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  ).pipe(Effect.provide(Reactivity.layer))

const connectionOf = (handle: DatabaseSync, onError: OnError): SqlConnection.Connection => {
  const run = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.tapError(
      attempt(sql, () => handle.prepare(sql).all(...params.map(toInput))),
      onError
    )
  const execute: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    transform === undefined ? run(sql, params) : Effect.map(run(sql, params), transform)
  const executeValues: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(run(sql, params), (rows) => rows.map((row) => Object.values(row)))
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: run,
    executeValues,
    executeValuesUnprepared: executeValues,
    executeStream: (sql, params, transform) => Stream.fromIterableEffect(execute(sql, params, transform))
  }
}

const toInput = (value: unknown): SQLInputValue => {
  if (typeof value === "boolean") return Number(value)
  return value instanceof Date ? value.toISOString() : (value as SQLInputValue)
}

const attempt = <A>(operation: string, run: () => A): Effect.Effect<A, SqlError.SqlError> =>
  Effect.try({
    try: run,
    catch: (cause) =>
      new SqlError.SqlError({
        reason: SqlError.classifySqliteError(cause, { message: `SQLite: ${operation}`, operation })
      })
  })
