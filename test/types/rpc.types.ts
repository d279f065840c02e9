/**
 * What must and what must not compile about servers that are served over a network. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingEffectError:off
import { Effect, type Layer, Schema } from "effect"
import { HttpApiEndpoint } from "effect/http-api"
import { Rpc, RpcClient, type RpcClientError, RpcGroup, RpcMiddleware, RpcServer } from "effect/rpc"
import { GenServer, type Protocol } from "effect-otp/behaviour"
import { type ExitReason, Pid } from "effect-otp/kernel"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class Overdrawn extends Schema.TaggedError<Overdrawn>()("Overdrawn", { balance: Schema.Finite }) {}
class Denied extends Schema.TaggedError<Denied>()("Denied", {}) {}
class Guard extends RpcMiddleware.Service<Guard>()("types/rpc/Guard", { error: Denied }) {}

class AccountRpcs extends RpcGroup.make(
  Rpc.make("withdraw", { payload: { amount: Schema.Finite }, success: Schema.Finite, error: Overdrawn }),
  GenServer.cast("deposit", { payload: { amount: Schema.Finite } })
).middleware(Guard) {}

// ---- a group as a protocol ----------------------------------------------------------------------------------------

class Account extends GenServer.Service<Account>()("types/rpc/Account", AccountRpcs) {
  static readonly layer = this.define({
    init: () => Effect.succeed(0),
    handlers: {
      withdraw: ({ amount }, balance) =>
        amount > balance ? new Overdrawn({ balance }) : GenServer.reply(balance - amount, balance - amount),
      deposit: ({ amount }, balance) => GenServer.noReply(balance + amount)
    }
  }).layer()
}
same<typeof Account.layer, Layer.Layer<Account>>(true)

// A call inside the program does not run the middleware, so it does not fail with its error.
export const inside = Effect.gen(function* () {
  const account = yield* Account
  const withdrawn = account.withdraw({ amount: 1 })
  same<typeof withdrawn, Effect.Effect<number, Overdrawn | GenServer.CallError>>(true)
  const deposited = account.deposit({ amount: 1 })
  same<typeof deposited, Effect.Effect<void>>(true)
  // @ts-expect-error there is no such message
  yield* account.close()
})

const ticks = Rpc.make("ticks", { success: Schema.Finite, stream: true })
// @ts-expect-error a stream is not an answer
export const Ticks = GenServer.Service<object>()("types/rpc/Ticks", RpcGroup.make(ticks, Rpc.make("now")))
// @ts-expect-error a handler is missing
Account.define({ init: () => Effect.succeed(0), handlers: { deposit: () => GenServer.noReply(0) } })

// The protocol may declare CallError, for RpcServer. A handler cannot fail with it: it would say that there was no answer.
const relay = Rpc.make("relay", { success: Schema.Finite, error: Schema.Union([Overdrawn, GenServer.CallError]) })
export class Relay extends GenServer.Service<Relay>()("types/rpc/Relay", RpcGroup.make(relay)) {
  static readonly mapped = this.define({
    init: () => Effect.void,
    handlers: {
      relay: (_, state) =>
        Account.use((account) => account.withdraw({ amount: 1 })).pipe(
          Effect.map((balance) => GenServer.reply(balance, state)),
          Effect.catchTag("CallError", () => new Overdrawn({ balance: 0 }))
        )
    }
  })
  static readonly passed = this.define({
    init: () => Effect.void,
    handlers: {
      relay: (_, state) =>
        // @ts-expect-error a CallError is no answer
        Account.use((account) => account.withdraw({ amount: 1 })).pipe(
          Effect.map((balance) => GenServer.reply(balance, state))
        )
    }
  })
}

// ---- a server over a network --------------------------------------------------------------------------------------

class Served extends GenServer.toRpcGroup(Account) {}

export const outside = Effect.gen(function* () {
  const account = yield* RpcClient.make(Served)
  const withdrawn = account.withdraw({ amount: 1 })
  same<
    typeof withdrawn,
    Effect.Effect<number, Overdrawn | Denied | GenServer.CallError | RpcClientError.RpcClientError>
  >(true)
  const deposited = account.deposit({ amount: 1 })
  same<typeof deposited, Effect.Effect<void, Denied | GenServer.CallError | RpcClientError.RpcClientError>>(true)
  // @ts-expect-error the payload has another type
  yield* account.withdraw({ amount: "1" })
})

const handlers = GenServer.toRpcHandlers(Account)
same<typeof handlers, Layer.Layer<Rpc.Handler<"withdraw"> | Rpc.Handler<"deposit">, never, Account>>(true)
const prefixed = GenServer.toRpcHandlers(Account, { prefix: "account.", timeout: "1 second", whenDown: "wait" })
same<typeof prefixed, Layer.Layer<Rpc.Handler<"account.withdraw"> | Rpc.Handler<"account.deposit">, never, Account>>(
  true
)

const server = RpcServer.layer(Served)
same<Layer.Services<typeof server>, RpcServer.Protocol | Rpc.Handler<"withdraw"> | Rpc.Handler<"deposit"> | Guard>(true)

// @ts-expect-error a plain service has no protocol
GenServer.toRpcGroup(Guard)
// @ts-expect-error an unknown way to wait
GenServer.toRpcHandlers(Account, { whenDown: "retry" })

// ---- errors and values at the edges -------------------------------------------------------------------------------

export const endpoint = HttpApiEndpoint.get("withdraw", "/", {
  success: Schema.Finite,
  error: [Overdrawn, ...GenServer.HttpCallError]
})
same<HttpApiEndpoint.Error<typeof endpoint>["Type"], Overdrawn | GenServer.CallError>(true)

export const matched = Effect.flatMap(Account, (account) => account.withdraw({ amount: 1 })).pipe(
  Effect.catchReasons("CallError", {
    Timeout: () => Effect.succeed(0),
    ServerDown: ({ reason }) => {
      same<typeof reason, ExitReason.ExitReason>(true)
      return Effect.succeed(1)
    },
    CallCycle: ({ path }) => Effect.succeed(path.length)
  })
)
// @ts-expect-error a reason is one of the classes
export const tired = new GenServer.CallError({ server: "a", request: "b", reason: { _tag: "Tired" }, started: "no" })
// @ts-expect-error a reason of a ServerDown is an exit reason
export const down = new GenServer.ServerDown({ reason: "tired" })

const guest = Pid.schema<string>()
same<typeof guest.Type, Pid.Pid<string>>(true)
const client = GenServer.clientSchema(Account)
same<typeof client.Type, GenServer.Client<Protocol.MessagesOf<typeof AccountRpcs>>>(true)
