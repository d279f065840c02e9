/**
 * What must and what must not compile about servers. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingEffectError:off
import { Context, Duration, Effect, type Layer, Schema, type Scope } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, type Protocol } from "effect-otp/behaviour"
import { ExitReason, type Handle, type Pid, Process, type Signal, type Timer } from "effect-otp/kernel"
import type { Name } from "effect-otp/naming"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Finite }) {}
class DatabaseError extends Schema.TaggedError<DatabaseError>()("DatabaseError", {}) {}
class Database extends Context.Service<Database, { query(sql: string): Effect.Effect<number, DatabaseError> }>()(
  "types/Database"
) {}
class Mailer extends Context.Service<Mailer, { readonly send: (to: string) => Effect.Effect<void> }>()(
  "types/Mailer"
) {}
class Audit extends Context.Service<Audit, { readonly log: (line: string) => Effect.Effect<void> }>()("types/Audit") {}
class Limits extends Context.Service<Limits, { readonly most: number }>()("types/Limits") {}
class Metrics extends Context.Service<Metrics, { readonly count: Effect.Effect<void> }>()("types/Metrics") {}
class Farewell extends Context.Service<Farewell, { readonly say: Effect.Effect<void> }>()("types/Farewell") {}

const withdraw = Rpc.make("withdraw", { payload: { amount: Schema.Finite }, success: Schema.Finite, error: Overdrawn })
const balance = Rpc.make("balance", { success: Schema.Finite })
const deposit = GenServer.cast("deposit", { payload: { amount: Schema.Finite } })
const reset = GenServer.cast("reset")
type Messages = typeof withdraw | typeof balance | typeof deposit | typeof reset

// ---- a server without annotations, and what its client is ---------------------------------------------------------

class Account extends GenServer.Service<Account>()("types/Account", [withdraw, balance, deposit, reset]) {
  static readonly definition = this.define({
    init: () =>
      Effect.gen(function* () {
        const database = yield* Database
        return yield* database.query("select balance from account")
      }),
    handlers: {
      withdraw: Effect.fnUntraced(function* ({ amount }, balance) {
        if (amount > balance) return yield* new Overdrawn({ balance })
        return GenServer.reply(balance - amount, balance - amount)
      }),
      balance: (payload, balance) => {
        same<typeof payload, void>(true)
        same<typeof balance, number>(true)
        return GenServer.reply(balance, balance)
      },
      deposit: ({ amount }, balance, context) => {
        same<typeof amount, number>(true)
        same<typeof context.from, undefined>(true)
        same<typeof context.self, GenServer.Client<Messages>>(true)
        return GenServer.noReply(balance + amount)
      },
      reset: () => GenServer.noReply(0)
    }
  })
}

same<typeof Account.definition.layer, () => Layer.Layer<Account, DatabaseError, Database>>(true)
same<
  typeof Account.definition.start,
  () => Effect.Effect<GenServer.Client<Messages>, DatabaseError, Database | Scope.Scope>
>(true)
same<typeof Account.Service, GenServer.Client<Messages>>(true)

export const client = Effect.gen(function* () {
  const account = yield* Account
  same<typeof account, GenServer.Client<Messages>>(true)
  const taken = account.withdraw({ amount: 1 })
  same<typeof taken, Effect.Effect<number, Overdrawn | GenServer.CallError>>(true)
  const asked = account.balance()
  same<typeof asked, Effect.Effect<number, GenServer.CallError>>(true)
  const put = account.deposit({ amount: 1 })
  same<typeof put, Effect.Effect<void>>(true)
  const emptied = account.reset()
  same<typeof emptied, Effect.Effect<void>>(true)
  const found = GenServer.pid(account)
  same<
    Effect.Success<typeof found> extends infer O ? (O extends { readonly value: infer P } ? P : never) : never,
    Pid.Pid
  >(true)

  yield* account.balance(undefined, { timeout: "1 second", whenDown: "wait" })
  yield* account.withdraw({ amount: 1 }, { timeout: "inherit" })
  yield* account.withdraw({ amount: 1 }, { timeout: Duration.infinity, whenDown: undefined })
  // @ts-expect-error the payload is checked
  yield* account.withdraw({ amount: "1" })
  // @ts-expect-error the payload cannot be left out
  yield* account.withdraw()
  // @ts-expect-error the payload has no other fields
  yield* account.withdraw({ amount: 1, currency: "EUR" })
  // @ts-expect-error this message has no payload
  yield* account.balance({ amount: 1 })
  // @ts-expect-error an unknown option
  yield* account.balance(undefined, { timout: 1 })
  // @ts-expect-error an unknown way to wait
  yield* account.balance(undefined, { whenDown: "retry" })
  // @ts-expect-error a cast has no options
  yield* account.deposit({ amount: 1 }, { timeout: 1 })
  // @ts-expect-error there is no such message
  yield* account.close()
  // @ts-expect-error a cast has no answer
  const nothing: number = yield* account.deposit({ amount: 1 })
  return nothing
})

// The caller knows how calls fail, by tag and by reason.
export const recovered: Effect.Effect<number, never, Account> = Effect.flatMap(Account, (account) =>
  account.withdraw({ amount: 1 })
).pipe(
  Effect.catchTag("Overdrawn", (error) => Effect.succeed(error.balance)),
  Effect.catchReason("CallError", "Timeout", () => Effect.succeed(0)),
  Effect.catchTag("CallError", (error) => {
    same<typeof error.started, "no" | "unknown">(true)
    return Effect.succeed(error.reason._tag === "CallCycle" ? error.reason.path.length : 0)
  })
)
same<ReturnType<GenServer.CallError["toString"]>, string>(true)
same<GenServer.CallReason["_tag"], "Timeout" | "NoProcess" | "ServerDown" | "MailboxFull" | "CallCycle">(true)

// ---- what it needs: from everywhere, and nothing twice ------------------------------------------------------------

type Note = { readonly note: string }

class Everything extends GenServer.Service<Everything>()("types/Everything", [withdraw, balance, deposit, reset]) {
  static readonly definition = this.define({
    init: (from: string, retries: number) =>
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.void)
        same<typeof from, string>(true)
        yield* Process.trapExit(true)
        return yield* Effect.map(Effect.orDie((yield* Database).query(from)), (n) =>
          GenServer.initial(n + retries, { continue: "load" as const, idle: "1 minute" })
        )
      }),
    info: (message: Note | Signal.Signal, balance, { from }) => {
      same<typeof from, undefined>(true)
      return "note" in message
        ? Effect.as(
            Effect.flatMap(Audit, ({ log }) => log(message.note)),
            GenServer.noReply(balance)
          )
        : GenServer.noReply(balance)
    },
    handlers: {
      withdraw: Effect.fnUntraced(function* ({ amount }, balance, { from, sendAfter, self, cast }) {
        same<typeof from, GenServer.ReplyTo<number, Overdrawn>>(true)
        yield* (yield* Mailer).send("customer")
        yield* Effect.addFinalizer(() => Effect.void)
        const timer = yield* sendAfter("1 second", { note: "later" })
        same<typeof timer, Timer.Timer>(true)
        cast(self, "deposit", { amount })
        cast(self, "reset")
        yield* from.succeed(1)
        return GenServer.noReply(balance, { continue: "store" })
      }),
      balance: (_, balance) => Effect.map(Limits, ({ most }) => GenServer.reply(most, balance)),
      deposit: ({ amount }, balance) =>
        amount < 0 ? GenServer.stop(ExitReason.normal, balance) : GenServer.noReply(balance + amount),
      reset: (_, __, { sendEvery }) => Effect.as(sendEvery(10, { note: "again" }), GenServer.noReply(0))
    },
    continue: (token: "load" | "store", balance) =>
      Effect.as(
        Effect.flatMap(Metrics, ({ count }) => count),
        GenServer.noReply(balance + token.length)
      ),
    idle: (balance) =>
      Effect.as(
        Effect.flatMap(Limits, () => Effect.void),
        GenServer.noReply(balance)
      ),
    terminate: (reason, balance) => {
      same<typeof reason, ExitReason.ExitReason>(true)
      same<typeof balance, number>(true)
      return Effect.flatMap(Farewell, ({ say }) => say)
    },
    formatStatus: ({ state, message }) => ({ state: state > 0, message }),
    mailbox: { capacity: 10, strategy: "suspend" },
    drain: true
  })
}

type All = Database | Mailer | Limits | Audit | Metrics | Farewell
same<typeof Everything.definition.layer, (from: string, retries: number) => Layer.Layer<Everything, never, All>>(true)
same<
  typeof Everything.definition.start,
  (from: string, retries: number) => Effect.Effect<GenServer.Client<Messages>, never, All | Scope.Scope>
>(true)
// @ts-expect-error start takes the arguments of init
export const wrongStart = Everything.definition.start(1, 2)
// @ts-expect-error layer takes the arguments of init
export const wrongLayer = Everything.definition.layer("a")

// `continue` only needs an annotation of its token, wherever it is written.
class Loader extends GenServer.Service<Loader>()("types/Loader", [deposit]) {
  static readonly before = this.define({
    init: () => Effect.succeed(GenServer.initial(0, { continue: "load" })),
    continue: (_: "load" | "store", n, { self }) => {
      same<typeof self, GenServer.Client<typeof deposit>>(true)
      return GenServer.noReply(n, { continue: "store" })
    },
    handlers: { deposit: ({ amount }, n) => GenServer.noReply(n + amount, { continue: "store", idle: 10 }) }
  })
  static readonly after = this.define({
    init: () => Effect.succeed(GenServer.initial(0, { continue: "load" })),
    handlers: { deposit: ({ amount }, n) => GenServer.noReply(n + amount, { continue: "store" }) },
    continue: (_: "load" | "store", n) => GenServer.noReply(n)
  })
  static readonly signalsOnly = this.define({
    init: () => Effect.succeed(0),
    info: (signal, n) => {
      same<typeof signal, Signal.Signal>(true)
      return GenServer.noReply(n)
    },
    handlers: { deposit: ({ amount }, n) => GenServer.noReply(n + amount) }
  })
}
same<typeof Loader.before.layer, () => Layer.Layer<Loader>>(true)
same<typeof Loader.after.layer, () => Layer.Layer<Loader>>(true)
same<typeof Loader.signalsOnly.layer, () => Layer.Layer<Loader>>(true)

// Options may be undefined.
declare const silent: boolean
same<typeof Loader.before.layer, typeof optional.layer>(true)
const optional = Loader.define({
  init: () => Effect.succeed(0),
  info: silent
    ? undefined
    : (message: "tick" | Signal.Signal, n: number) => GenServer.noReply(message === "tick" ? 0 : n),
  continue: undefined,
  idle: silent ? undefined : (n) => GenServer.noReply(n),
  terminate: silent ? undefined : () => Effect.void,
  formatStatus: undefined,
  mailbox: undefined,
  drain: undefined,
  name: undefined,
  handlers: {
    deposit: ({ amount }, n, { sendAfter }) => Effect.as(sendAfter(1, "tick"), GenServer.noReply(n + amount))
  }
})

// ---- names --------------------------------------------------------------------------------------------------------

class Counter extends GenServer.Service<Counter>()("types/Counter", [Rpc.make("get", { success: Schema.Finite })]) {
  static readonly anonymous = this.define({
    init: () => Effect.succeed(0),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
  static readonly named = this.define({
    name: "counter",
    init: () => Effect.succeed(0),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
  static readonly namedByArgument = this.define({
    name: (id: string) => `counter/${id}`,
    init: (id: string) => (id === "" ? Effect.fail("empty" as const) : Effect.succeed(0)),
    handlers: { get: (_, n) => GenServer.reply(n, n) }
  })
}

same<typeof Counter.anonymous.layer, () => Layer.Layer<Counter>>(true)
same<typeof Counter.named.layer, () => Layer.Layer<Counter, Name.AlreadyStarted>>(true)
same<typeof Counter.namedByArgument.layer, (id: string) => Layer.Layer<Counter, "empty" | Name.AlreadyStarted>>(true)

// ---- handles ------------------------------------------------------------------------------------------------------

class Other extends GenServer.Service<Other>()("types/Other", [Rpc.make("get", { success: Schema.String })]) {}
class Wider extends GenServer.Service<Wider>()("types/Wider", [
  Rpc.make("get", { success: Schema.Finite }),
  Rpc.make("put", { payload: { n: Schema.Finite } })
]) {}
declare const counter: typeof Counter.Service
declare const other: typeof Other.Service
declare const wider: typeof Wider.Service
export const ofCounter: Handle.Handle<Protocol.ByTag<GetOf<typeof Counter.Service>, "get">> = counter
type GetOf<C> = C extends GenServer.Client<infer M> ? M : never
// @ts-expect-error this handle has another protocol
export const wrong: typeof Counter.Service = other
// @ts-expect-error a wider protocol does not fit either: a handle is invariant
export const narrowed: typeof Counter.Service = wider
// @ts-expect-error an object that only looks like a handle does not fit
export const lookalike: typeof Counter.Service = { get: () => Effect.succeed(1) }

// ---- mistakes -----------------------------------------------------------------------------------------------------

const get = Rpc.make("get", { success: Schema.Finite })
const put = GenServer.cast("put")
const init = () => Effect.succeed(0)

class Mistakes extends GenServer.Service<Mistakes>()("types/Mistakes", [get, put]) {
  // @ts-expect-error a handler is missing
  static readonly missing = this.define({ init, handlers: { get: (_, n) => GenServer.reply(n, n) } })

  static readonly extra = this.define({
    init,
    handlers: {
      get: (_, n) => GenServer.reply(n, n),
      put: (_, n) => GenServer.noReply(n),
      // @ts-expect-error there is no such message
      gte: 1
    }
  })

  static readonly failing = this.define({
    init,
    // @ts-expect-error a cast cannot fail
    handlers: { get: (_, n) => GenServer.reply(n, n), put: () => Effect.fail("boom") }
  })

  static readonly undeclared = this.define({
    init,
    // @ts-expect-error a call can only fail as it declares
    handlers: { get: () => Effect.fail("boom"), put: (_, n: number) => GenServer.noReply(n) }
  })

  static readonly wrongReply = this.define({
    init,
    // @ts-expect-error the answer is a number
    handlers: { get: (_, n) => GenServer.reply("one", n), put: (_, n) => GenServer.noReply(n) }
  })

  static readonly wrongState = this.define({
    init,
    // @ts-expect-error the state is a number
    handlers: { get: (_, n) => GenServer.reply(n, "state"), put: (_, n) => GenServer.noReply(n) }
  })

  static readonly castReplies = this.define({
    init,
    // @ts-expect-error a cast has no caller to answer
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.reply(undefined, n) }
  })

  static readonly castStopsWithReply = this.define({
    init,
    // @ts-expect-error a cast has no caller to answer when it stops, either
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.stopReply(ExitReason.normal, 1, n) }
  })

  static readonly asynchronous = this.define({
    init,
    // @ts-expect-error a promise is not an answer
    handlers: { get: async (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) }
  })

  static readonly noContinue = this.define({
    init,
    handlers: {
      // @ts-expect-error there is no handler for continue
      get: (_, n) => GenServer.reply(n, n, { continue: "later" }),
      put: (_, n) => GenServer.noReply(n)
    }
  })

  static readonly wrongToken = this.define({
    init,
    handlers: {
      // @ts-expect-error the handler for continue does not take this token
      get: (_, n) => GenServer.reply(n, n, { continue: "later" }),
      put: (_, n) => GenServer.noReply(n)
    },
    continue: (_: "load", n) => GenServer.noReply(n)
  })

  // @ts-expect-error there is no handler for the continue of init
  static readonly initContinues = this.define({
    init: () => Effect.succeed(GenServer.initial(0, { continue: "load" })),
    handlers: { get: (_, n: number) => GenServer.reply(n, n), put: (_, n: number) => GenServer.noReply(n) }
  })

  static readonly initContinuesWithOther = this.define({
    init: () => Effect.succeed(GenServer.initial(0, { continue: "load" })),
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error init continues with another token
    continue: (_: "store", n) => GenServer.noReply(n)
  })

  static readonly noInfo = this.define({
    init,
    handlers: {
      get: (_, n, { sendAfter }) =>
        Effect.as(
          // @ts-expect-error there is no handler for info
          sendAfter(1, "tick"),
          GenServer.reply(n, n)
        ),
      put: (_, n) => GenServer.noReply(n)
    }
  })

  static readonly wrongInfo = this.define({
    init,
    handlers: {
      get: (_, n, { sendAfter, sendEvery }) =>
        Effect.gen(function* () {
          yield* sendAfter(1, "tick")
          // @ts-expect-error the handler for info does not take this message
          yield* sendAfter(1, "tock")
          // @ts-expect-error the handler for info does not take this message, either
          yield* sendEvery(1, 3)
          return GenServer.reply(n, n)
        }),
      put: (_, n) => GenServer.noReply(n)
    },
    // After the handlers, all its parameters must be annotated.
    info: (_: "tick" | Signal.Signal, n: number) => GenServer.noReply(n)
  })

  static readonly wrongCast = this.define({
    init,
    handlers: {
      get: (_, n, { cast, self }) => {
        cast(self, "put")
        // @ts-expect-error this message is a call
        cast(self, "get")
        // @ts-expect-error there is no such message
        cast(self, "gte")
        // @ts-expect-error that protocol has no such message
        cast(counter, "put")
        // @ts-expect-error this message has no payload
        cast(self, "put", 1)
        return GenServer.reply(n, n)
      },
      put: (_, n) => GenServer.noReply(n)
    }
  })

  static readonly wrongAnswerLater = this.define({
    init,
    handlers: {
      get: (_, n, { from }) =>
        Effect.gen(function* () {
          // @ts-expect-error the answer is a number
          yield* from.succeed("one")
          // @ts-expect-error this call declares no failure
          yield* from.fail("no")
          return GenServer.noReply(n)
        }),
      put: (_, n) => GenServer.noReply(n)
    }
  })

  static readonly infoFails = this.define({
    init,
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error info has no caller to get the failure
    info: () => Effect.fail("boom")
  })

  static readonly terminateFails = this.define({
    init,
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error terminate has no caller to get the failure
    terminate: () => Effect.fail("boom")
  })

  static readonly badBound = this.define({
    init,
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error there is no such strategy
    mailbox: { capacity: 1, strategy: "ignore" }
  })

  static readonly badName = this.define({
    init,
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error a name is a string
    name: 3
  })

  static readonly nameOfOtherArguments = this.define({
    init: (id: string) => Effect.succeed(id.length),
    handlers: { get: (_, n) => GenServer.reply(n, n), put: (_, n) => GenServer.noReply(n) },
    // @ts-expect-error the function that gives the name takes the arguments of init
    name: (id: number) => `${id}`
  })
}
export { Mistakes }

// A message of a server has one answer.
const watch = Rpc.make("watch", { success: Schema.Finite, stream: true })
// @ts-expect-error a stream is not an answer
export const Stream = GenServer.Service<never>()("types/Stream", [get, watch])

// A payload that callers cannot construct does not compile, either.
class Point extends Schema.Class<Point>("types/Point")({ x: Schema.Finite }) {}
class Shapes extends GenServer.Service<Shapes>()("types/Shapes", [
  Rpc.make("move", { payload: { to: Point }, success: Point }),
  Rpc.make("jump", { payload: Point }),
  Rpc.make("greet", { payload: { name: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed("x"))) } })
]) {}
export const shapes = Effect.gen(function* () {
  const { greet, jump, move } = yield* Shapes
  const moved = yield* move({ to: new Point({ x: 1 }) })
  same<typeof moved, Point>(true)
  yield* jump(new Point({ x: 1 }))
  yield* greet({})
  yield* greet({ name: "Joe" })
  // @ts-expect-error the field is a string
  yield* greet({ name: 1 })
  // @ts-expect-error the payload is required, even if its fields have defaults
  yield* greet()
})

// A server may need another server. It needs no annotation for that.
class Auditor extends GenServer.Service<Auditor>()("types/Auditor", [
  GenServer.cast("log", { payload: { line: Schema.String } })
]) {
  static readonly layer = this.define({
    init: () => Effect.as(Account, [] as ReadonlyArray<string>),
    handlers: { log: ({ line }, lines) => GenServer.noReply([...lines, line]) }
  }).layer()
}
same<typeof Auditor.layer, Layer.Layer<Auditor, never, Account>>(true)
