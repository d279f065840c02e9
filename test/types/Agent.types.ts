/** What must and what must not compile about agents. Checked by `tsc`; nothing here runs. */
// @effect-diagnostics missingEffectError:off
// @effect-diagnostics floatingEffect:off
import { Context, Effect, type Layer, pipe, type Scope, type Stream } from "effect"
import { Agent, DynamicSupervisor, GenServer, type Name, type Process, Supervisor, Sys } from "effect-otp"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class Database extends Context.Service<Database, { readonly load: Effect.Effect<number, "down"> }>()(
  "types/Database"
) {}

class Counter extends Agent.Service<Counter, number>()("types/Counter") {
  static readonly definition = this.define({
    init: (_key: string) => Effect.flatMap(Database, ({ load }) => load)
  })
  static readonly named = this.define({ init: () => Effect.succeed(0), name: "counter" })
}
declare const counter: (typeof Counter)["Service"]
same<typeof counter, Agent.Agent<number>>(true)

const layer = Counter.definition.layer("a")
same<typeof layer, Layer.Layer<Counter, "down", Database>>(true)
const named = Counter.named.layer()
same<typeof named, Layer.Layer<Counter, Name.AlreadyStarted>>(true)

const dynamic = Agent.start(Effect.flatMap(Database, ({ load }) => load))
same<typeof dynamic, Effect.Effect<Agent.Agent<number>, "down", Database | Scope.Scope>>(true)
const ofName = Agent.start(Effect.succeed("state"), { name: "one" })
same<typeof ofName, Effect.Effect<Agent.Agent<string>, Name.AlreadyStarted, Scope.Scope>>(true)

// Functions get the state and give the next one, without annotations.
const made = Agent.modify(counter, (n) => [String(n), n + 1])
same<typeof made, Effect.Effect<string, GenServer.CallError>>(true)
const piped = pipe(
  counter,
  Agent.updateAndGet((n: number) => n + 1)
)
same<typeof piped, Effect.Effect<number, GenServer.CallError>>(true)
const cast = Agent.cast(counter, (n) => n + 1)
same<typeof cast, Effect.Effect<void>>(true)
const whole = Agent.get(counter)
same<typeof whole, Effect.Effect<number, GenServer.CallError>>(true)
const part = Agent.get(counter, (n) => ({ n }))
same<typeof part, Effect.Effect<{ n: number }, GenServer.CallError>>(true)

// Effects keep their failures and requirements, except the process and the scope, which are the agent's.
declare const step: Effect.Effect<number, "down", Database | Scope.Scope | Process.Self>
const stepped = Agent.updateAndGetEffect(counter, () => step)
same<typeof stepped, Effect.Effect<number, "down" | GenServer.CallError, Database>>(true)

const changes = Agent.changes(counter)
same<typeof changes, Stream.Stream<number>>(true)
const state = Sys.getState(counter)
same<typeof state, Effect.Effect<number, GenServer.CallError>>(true)
const replaced = Sys.replaceState(counter, (n) => n + 1)
same<typeof replaced, Effect.Effect<number, GenServer.CallError | Sys.ReplaceFailed>>(true)
GenServer.terminate(counter)

// Under supervisors.
class Tree extends Supervisor.Service<Tree>()("types/Tree", {
  strategy: "oneForOne",
  children: [Supervisor.child(layer)]
}) {}
same<typeof Tree.layer, Layer.Layer<Tree | Counter, "down", Database>>(true)
class Counters extends DynamicSupervisor.Service<Counters>()("types/Counters", { child: Counter.definition }) {}
declare const counters: (typeof Counters)["Service"]
const started = counters.startChild("key", "a")
same<Effect.Success<typeof started>, Agent.Agent<number>>(true)

// @ts-expect-error the next state is not a number
Agent.update(counter, (n) => String(n))
// @ts-expect-error the state is not a text
Agent.set(counter, "text")
// @ts-expect-error a cast has no caller to get the failure
Agent.castEffect(counter, () => Effect.fail("no"))
// @ts-expect-error an effect is not a state
Agent.update(counter, (n) => Effect.succeed(n))
// @ts-expect-error the first state is not a number
Counter.define({ init: () => Effect.succeed("text") })
// @ts-expect-error an agent of text is not an agent of numbers
const wrong: Agent.Agent<number> = null as unknown as Agent.Agent<string>
// @ts-expect-error an agent of numbers is not an agent of numbers or texts: somebody could write a text
const wider: Agent.Agent<number | string> = counter
void [wrong, wider]
