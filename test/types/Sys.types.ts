/** What `Sys` knows of a target, and what does not compile. Checked by `tsc`; nothing here runs. */
// @effect-diagnostics floatingEffect:off
import type { Effect, Exit, Option, Stream } from "effect"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"
import { GenServer, type Pid, type Supervisor, Sys } from "effect-otp"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equals<A, B>) => void

class Shop extends GenServer.Service<Shop>()("types/Shop", [
  Rpc.make("take", { payload: { count: Schema.Finite }, success: Schema.String, error: Schema.Boolean }),
  GenServer.cast("deliver", { payload: { count: Schema.Finite } })
]) {}
declare const shop: (typeof Shop)["Service"]
declare const pid: Pid.Pid
declare const tree: Supervisor.SupervisorHandle

// A client always stands for a server; a pid may not.
const state = Sys.getState(shop)
same<typeof state, Effect.Effect<unknown, GenServer.CallError>>(true)
const ofPid = Sys.getState(pid)
same<typeof ofPid, Effect.Effect<unknown, GenServer.CallError | Sys.NotAServer>>(true)
const ofTree = Sys.getStatus(tree)
same<typeof ofTree, Effect.Effect<Sys.Status, GenServer.CallError | Sys.NotAServer>>(true)

// A schema gives the type of the state.
const typed = Sys.getState(shop, { schema: Schema.FiniteFromString })
same<typeof typed, Effect.Effect<number, GenServer.CallError | Sys.WrongState>>(true)
const replaced = Sys.replaceState(shop, (count) => count + 1, { schema: Schema.Finite, timeout: "1 second" })
same<typeof replaced, Effect.Effect<number, GenServer.CallError | Sys.ReplaceFailed | Sys.WrongState>>(true)

// @ts-expect-error the type of the state is not known
Sys.replaceState(shop, (count: number) => count + 1)
// @ts-expect-error the next state is not a number
Sys.replaceState(shop, (count) => String(count), { schema: Schema.Finite })
// @ts-expect-error a name is not a target
Sys.suspend("shop")
// @ts-expect-error there is no such strategy
Sys.trace(shop, { strategy: "suspend" })

const statistics = Sys.statistics(shop)
same<typeof statistics, Effect.Effect<Option.Option<Sys.Statistics>, GenServer.CallError>>(true)

// The events of a trace have the types of the protocol.
const trace = Sys.trace(shop)
type Event = Stream.Success<typeof trace>
type Received = Extract<Event, { readonly _tag: "Received" }>["message"]
type Take = Extract<Received, { readonly tag: "take" }>
same<Take["_tag"], "Call">(true)
same<Take["payload"]["count"], number>(true)
same<Extract<Received, { readonly tag: "deliver" }>["_tag"], "Cast">(true)
type Answered = Extract<Event, { readonly _tag: "Answered" }>
same<Answered["tag"], "take">(true)
same<Answered["exit"], Exit.Exit<string, boolean>>(true)
const ofAny = Sys.trace(pid)
same<Extract<Stream.Success<typeof ofAny>, { readonly _tag: "Answered" }>["tag"], string>(true)
