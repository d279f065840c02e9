/**
 * What must and must not compile about tasks and streams of them. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics missingEffectContext:off floatingEffect:off
import { Context, Data, Effect, type Option, type Result, type Scope, Stream } from "effect"
import { Process, Task } from "effect-otp"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

class Refused extends Data.TaggedError("Refused")<{}> {}
class Db extends Context.Service<Db, { readonly load: (id: number) => Effect.Effect<string, Refused> }>()("types/Db") {}

const load = (id: number) => Effect.flatMap(Db, (db) => db.load(id))

// ---- starting -----------------------------------------------------------------------------------------------------

const linked = Task.async(load(1))
same<typeof linked, Effect.Effect<Task.Task<string, Refused>, never, Db | Process.Self>>(true)
const scoped = Task.asyncScoped(load(1), { label: "load" })
same<typeof scoped, Effect.Effect<Task.Task<string, Refused>, never, Db | Scope.Scope>>(true)
const alone = Task.asyncNoLink(load(1))
same<typeof alone, Effect.Effect<Task.Task<string, Refused>, never, Db>>(true)

// A task does not require the services that every process has.
const own = Task.asyncNoLink(
  Effect.andThen(
    Process.self,
    Effect.addFinalizer(() => Effect.void)
  )
)
same<typeof own, Effect.Effect<Task.Task<void, never>>>(true)

// Only a process can have a linked task.
Process.spawn(Effect.asVoid(Task.async(Effect.void)))
// @ts-expect-error there is no process here
void Effect.runPromise(Task.async(Effect.void))
// @ts-expect-error there is no scope here
void Effect.runPromise(Task.asyncScoped(Effect.void))
// @ts-expect-error unknown options are refused
Task.async(Effect.void, { timeout: 1 })

// ---- asking -------------------------------------------------------------------------------------------------------

export const asking = Effect.gen(function* () {
  const task = yield* Task.asyncNoLink(load(1))
  const awaited = Task.await(task)
  same<typeof awaited, Effect.Effect<string, Refused | Task.TaskExit>>(true)
  const polled = Task.poll(task, { timeout: "1 second" })
  same<typeof polled, Effect.Effect<Option.Option<Result.Result<string, Refused | Task.TaskExit>>>>(true)
  const ended = Task.shutdown(task, { limit: "brutalKill" })
  same<typeof ended, typeof polled>(true)
  const ignored = Task.ignore(task)
  same<typeof ignored, typeof polled>(true)
  // @ts-expect-error a limit is a duration, brutalKill or infinity
  Task.shutdown(task, { limit: "soon" })
  // @ts-expect-error a fiber is not a task
  Task.await(yield* Effect.forkChild(Effect.void))

  // A task fits a wider type.
  const wide: Task.Task<string | number, Refused | Error> = task
  // @ts-expect-error a task does not fit a narrower type
  const narrow: Task.Task<"a", Refused> = task
  return [wide, narrow]
})

// ---- streams ------------------------------------------------------------------------------------------------------

declare const input: Stream.Stream<number, "broken", Scope.Scope>

const stream = Task.asyncStream(input, load, { concurrency: 2 })
same<typeof stream, Stream.Stream<string, "broken" | Refused | Task.TaskExit | Task.TaskTimeout, Db | Scope.Scope>>(
  true
)
const piped = input.pipe(Task.asyncStream((id: number) => load(id), { concurrency: 2, timeout: "Infinity" }))
same<typeof piped, typeof stream>(true)
const inferred = Stream.make(1, 2).pipe(Task.asyncStream((n) => Effect.succeed(n > 1), { concurrency: 2 }))
same<typeof inferred, Stream.Stream<boolean, Task.TaskExit | Task.TaskTimeout>>(true)
const zipped = Task.asyncStream(input, load, { concurrency: 2, zipInput: true })
same<Stream.Success<typeof zipped>, readonly [input: number, outcome: string]>(true)
const notZipped = Task.asyncStream(input, load, { concurrency: 2, zipInput: false })
same<Stream.Success<typeof notZipped>, string>(true)

// Outcomes as values: the stream cannot fail with them any more.
const killing = Task.asyncStreamNoLink(input, load, { concurrency: 2, onTimeout: "kill" })
same<
  typeof killing,
  Stream.Stream<Result.Result<string, Refused | Task.TaskExit | Task.TaskTimeout>, "broken", Db | Scope.Scope>
>(true)
const exiting = Task.asyncStreamNoLink(input, load, { concurrency: 2 })
same<
  typeof exiting,
  Stream.Stream<Result.Result<string, Refused | Task.TaskExit>, "broken" | Task.TaskTimeout, Db | Scope.Scope>
>(true)
declare const either: "exit" | "kill"
const dynamic = Task.asyncStreamNoLink(input, load, { concurrency: 2, onTimeout: either })
same<
  typeof dynamic,
  Stream.Stream<
    Result.Result<string, Refused | Task.TaskExit | Task.TaskTimeout>,
    "broken" | Task.TaskTimeout,
    Db | Scope.Scope
  >
>(true)

// @ts-expect-error the concurrency is required
Task.asyncStream(input, load, {})
// @ts-expect-error the function must take the elements of the input
Task.asyncStream(input, (id: string) => Effect.succeed(id), { concurrency: 1 })
// @ts-expect-error the function must return an effect
Task.asyncStream(input, (id) => id, { concurrency: 1 })
// @ts-expect-error only a stream of outcomes can have a timeout as an outcome
Task.asyncStream(input, load, { concurrency: 1, onTimeout: "kill" })
// @ts-expect-error a timeout ends the stream or kills the task
Task.asyncStreamNoLink(input, load, { concurrency: 1, onTimeout: "ignore" })
