import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Logger, Scope } from "effect"
import { GenServer } from "effect-otp/behaviour"
import { ExitReason, Kernel, Process, Signal, Timer } from "effect-otp/kernel"
import { neverFreed } from "../fixtures/garbage.ts"
import { asProcess, inKernel, kernelTest, settle } from "../fixtures/kernel.ts"
import {
  type Answer,
  beside,
  type Client,
  type Context,
  crash,
  down,
  ended,
  failure,
  failureOf,
  fates,
  get,
  later,
  noProcess,
  type Options,
  pidOf,
  Refused,
  running,
  set,
  start,
  timedOut
} from "./puppet.ts"

/** A puppet that records what happens in it. */
const journal = () => {
  const seen: Array<string> = []
  const note = (what: string): void => void seen.push(what)
  const options: Options = {
    continue: (token, state) => {
      note(token)
      return GenServer.noReply(state)
    },
    info: (message, state) => {
      note(Signal.isSignal(message) ? message._tag : message)
      return GenServer.noReply(state)
    },
    idle: (state) => {
      note("idle")
      return GenServer.noReply(state)
    }
  }
  return { seen, note, options }
}

const noting =
  (note: (what: string) => void, what: string, more?: GenServer.NextOptions<string>) =>
  (n: number): Answer => {
    note(what)
    return GenServer.noReply(n, more)
  }

describe("continue", () => {
  const chained = (note: (what: string) => void): Options => ({
    continue: (token, state) => {
      note(token)
      return token === "before" ? GenServer.noReply(state, { continue: "continue" }) : GenServer.noReply(state)
    }
  })

  const from: ReadonlyArray<readonly [string, (token: string) => (n: number, context: Context) => Answer]> = [
    ["a cast", (token) => (n) => GenServer.noReply(n, { continue: token })],
    [
      "a reply",
      (token) =>
        (n, { from }) =>
          from === undefined ? assert.fail() : GenServer.reply(0, n, { continue: token })
    ]
  ]
  for (const [what, step] of from) {
    kernelTest(
      `#77 from ${what}: before anything that is queued, even if it continues again`,
      Effect.gen(function* () {
        for (const [token, expected] of [
          ["continue", ["continue", "after"]],
          ["before", ["before", "continue", "after"]]
        ] satisfies ReadonlyArray<readonly [string, Array<string>]>) {
          const { note, seen } = journal()
          const puppet = yield* start(chained(note))
          // The handler itself sends the message that has to wait.
          const doing = (n: number, context: Context) => {
            context.cast(context.self, "cast", noting(note, "after"))
            return step(token)(n, context)
          }
          yield* what === "a cast" ? puppet.cast(doing) : puppet.call(doing)
          yield* settle
          yield* puppet.call(get)
          assert.deepStrictEqual(seen, expected)
        }
      })
    )
  }

  kernelTest(
    "#77 from init: before what was queued meanwhile, and start does not wait for it",
    Effect.gen(function* () {
      const { note, seen } = journal()
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({
        init: Effect.gen(function* () {
          const self = yield* Process.self
          yield* Process.trapExit(true)
          yield* Process.exit(self, ExitReason.shutdown("queued"))
          return GenServer.initial(1, { continue: "continue" })
        }),
        continue: (token, state) =>
          Effect.gen(function* () {
            note(`${token} begins`)
            yield* Deferred.await(gate)
            note(token)
            return GenServer.noReply(state + 1)
          }),
        info: (_, state) => {
          note("after")
          return GenServer.noReply(state)
        }
      })
      note("started")
      const calling = yield* beside(puppet.call(get))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(2))
      assert.sameMembers(seen.slice(0, 2), ["started", "continue begins"])
      assert.deepStrictEqual(seen.slice(2), ["continue", "after"])
    })
  )

  it.effect("#77 a continue of init runs after the starter has gone on", () =>
    inKernel(
      Effect.gen(function* () {
        const { note, options, seen } = journal()
        for (const wait of [Effect.void, Effect.yieldNow]) {
          seen.length = 0
          yield* start({ ...options, init: Effect.as(wait, GenServer.initial(0, { continue: "continue" })) })
          note("started")
          yield* settle
          assert.deepStrictEqual(seen, ["started", "continue"])
        }
      })
    )
  )

  kernelTest(
    "a continue of init that takes long, or crashes, does not affect the starter",
    Effect.gen(function* () {
      const puppet = yield* start({
        init: Effect.succeed(GenServer.initial(0, { continue: "x" })),
        continue: () => {
          throw new Error("bang")
        }
      })
      yield* settle
      assert.deepStrictEqual(yield* failure(puppet.call(get)), noProcess)
    })
  )

  kernelTest(
    "#77 from info and from idle, and a stop from a continue",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const puppet = yield* start({
        info: (_, state) => GenServer.noReply(state, { continue: "from info" }),
        idle: (state) => GenServer.noReply(state, { continue: "from idle" }),
        continue: (token, state) => {
          seen.push(token)
          return token === "stop" ? GenServer.stop(ExitReason.normal, state) : GenServer.noReply(state)
        }
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.call((n, { sendAfter }) => Effect.as(sendAfter(0, "x"), GenServer.reply(0, n)))
      yield* later(1)
      yield* puppet.cast((n) => GenServer.noReply(n, { idle: 10 }))
      yield* later(10)
      assert.deepStrictEqual(seen, ["from info", "from idle"])
      yield* puppet.cast((n) => GenServer.noReply(n, { continue: "stop" }))
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
    })
  )

  kernelTest(
    "a reply stands, even if the continue of the same turn crashes",
    Effect.gen(function* () {
      const puppet = yield* start({ continue: () => Effect.die("bang") })
      const pid = yield* pidOf(puppet)
      assert.strictEqual(yield* puppet.call((n) => GenServer.reply("yes", n, { continue: "x" })), "yes")
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.defect("bang"))
    })
  )

  kernelTest(
    "#94 without a handler a continue is a crash",
    Effect.gen(function* () {
      const puppet = yield* start()
      const pid = yield* pidOf(puppet)
      yield* puppet.cast((n) => GenServer.noReply(n, { continue: "x" }))
      assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Crash")
    })
  )
})

describe("idle", () => {
  const ways: ReadonlyArray<readonly [string, (puppet: Client) => Effect.Effect<unknown, unknown>]> = [
    ["a call", (puppet) => puppet.call((n) => GenServer.reply(0, n, { idle: 500 }))],
    ["a cast", (puppet) => puppet.cast((n) => GenServer.noReply(n, { idle: 500 }))],
    [
      "a turn that takes its time",
      (puppet) => puppet.cast((n) => Effect.as(Effect.yieldNow, GenServer.noReply(n, { idle: 500 })))
    ],
    ["a continue", (puppet) => puppet.cast((n) => GenServer.noReply(n, { continue: "idle 500" }))],
    [
      "an info",
      (puppet) => puppet.call((n, { sendAfter }) => Effect.as(sendAfter(0, "idle 500"), GenServer.reply(0, n)))
    ]
  ]
  const idling = (note: (what: string) => void): Options => {
    const onIdle = (state: number) => {
      note("idle")
      return GenServer.noReply<number, string>(state)
    }
    return {
      idle: onIdle,
      continue: (_, state) => GenServer.noReply(state, { idle: 500 }),
      info: (message, state) =>
        message === "idle 500" ? GenServer.noReply(state, { idle: 500 }) : GenServer.noReply(state)
    }
  }

  for (const [what, set] of ways) {
    kernelTest(
      `#78 set by ${what}: fires once when nothing comes`,
      Effect.gen(function* () {
        const { note, seen } = journal()
        const puppet = yield* start(idling(note))
        yield* set(puppet)
        yield* later(0)
        yield* later(499)
        assert.deepStrictEqual(seen, [])
        yield* later(1)
        assert.deepStrictEqual(seen, ["idle"])
        yield* later(5000)
        assert.deepStrictEqual(seen, ["idle"])
      }),
      20
    )

    kernelTest(
      `#78 set by ${what}: never fires when a message comes before`,
      Effect.gen(function* () {
        const { note, seen } = journal()
        const puppet = yield* start(idling(note))
        yield* set(puppet)
        yield* later(499)
        yield* puppet.call(get)
        yield* later(5000)
        assert.deepStrictEqual(seen, [])
      }),
      20
    )
  }

  kernelTest(
    "#80 requests about the process do not disturb it",
    Effect.gen(function* () {
      const { options, seen } = journal()
      const puppet = yield* start(options)
      yield* puppet.cast((n) => GenServer.noReply(n, { idle: 500 }))
      yield* later(250)
      yield* Process.info(yield* pidOf(puppet))
      yield* later(250)
      assert.deepStrictEqual(seen, ["idle"])
    })
  )

  kernelTest(
    "#81 set by init",
    Effect.gen(function* () {
      const { options, seen } = journal()
      const first = yield* start({ ...options, init: Effect.succeed(GenServer.initial(3, { idle: "500 millis" })) })
      yield* later(500)
      assert.deepStrictEqual(seen, ["idle"])
      assert.strictEqual(yield* first.call(get), 3)
      const second = yield* start({ ...options, init: Effect.succeed(GenServer.initial(3, { idle: 500 })) })
      yield* second.call(get)
      yield* later(1000)
      assert.deepStrictEqual(seen, ["idle"])
    })
  )

  kernelTest(
    "#72 a second call within the time is answered; a later one comes after the idle turn",
    Effect.gen(function* () {
      const puppet = yield* start({ idle: () => GenServer.noReply(1) })
      const first = (n: number) => GenServer.reply("ok", n, { idle: 1000 })
      yield* puppet.call(first)
      yield* later(500)
      assert.strictEqual(yield* puppet.call(get), 0)
      yield* puppet.call(first)
      yield* later(1500)
      assert.strictEqual(yield* puppet.call(get), 1)
    })
  )

  kernelTest(
    "without a handler the server stops with Normal when it is idle",
    Effect.gen(function* () {
      const ends: Array<unknown> = []
      const puppet = yield* start({ terminate: (reason, state) => Effect.sync(() => void ends.push([reason, state])) })
      const pid = yield* pidOf(puppet)
      yield* puppet.call((n) => GenServer.reply(0, n + 2, { idle: 100 }))
      yield* later(99)
      assert.isTrue(yield* Process.isAlive(pid))
      yield* later(1)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.normal)
      assert.deepStrictEqual(ends, [[ExitReason.normal, 2]])
    })
  )

  kernelTest(
    "#337 with a time of zero a queued message comes first",
    Effect.gen(function* () {
      const { note, options, seen } = journal()
      const puppet = yield* start(options)
      yield* puppet.cast((n, { cast, self }) => {
        cast(self, "cast", noting(note, "queued"))
        return GenServer.noReply(n, { idle: 0 })
      })
      yield* later(1)
      assert.deepStrictEqual(seen, ["queued"])
      yield* puppet.cast((n) => GenServer.noReply(n, { idle: 0 }))
      yield* later(1)
      assert.deepStrictEqual(seen, ["queued", "idle"])
    })
  )

  kernelTest(
    "idling again and again, and a shutdown while it idles leaves no timer",
    Effect.gen(function* () {
      const { note, seen } = journal()
      const puppet = yield* start({
        idle: (state) => {
          note(`idle ${state}`)
          return GenServer.noReply(state + 1, { idle: 100 })
        }
      })
      yield* puppet.cast((n) => GenServer.noReply(n, { idle: 100 }))
      for (let i = 0; i < 3; i++) yield* later(100)
      assert.deepStrictEqual(seen, ["idle 0", "idle 1", "idle 2"])
      yield* GenServer.terminate(puppet)
      yield* later(1000)
      assert.strictEqual(seen.length, 3)
    })
  )
})

describe("deferred replies", () => {
  kernelTest(
    "several callers are answered out of order, while the server goes on",
    Effect.gen(function* () {
      const puppet = yield* start()
      const waiting: Array<NonNullable<Context["from"]>> = []
      const defer = (n: number, { from }: Context) => {
        waiting.push(from!)
        return GenServer.noReply(n + 1)
      }
      const calls = []
      for (let i = 0; i < 3; i++) calls.push(yield* beside(puppet.call(defer)))
      assert.strictEqual(yield* puppet.call(get), 3)
      const order: Array<number> = []
      for (const at of [1, 2, 0]) {
        yield* waiting[at]!.succeed(`answer ${at}`)
        yield* settle
        order.push(calls.filter((call) => call.pollUnsafe() !== undefined).length)
      }
      assert.deepStrictEqual(order, [1, 2, 3])
      for (const [at, call] of calls.entries()) {
        assert.deepStrictEqual(yield* ended(call), Exit.succeed(`answer ${at}`))
      }
      assert.deepStrictEqual(yield* fates, { accepted: 4, handled: 4 })
    })
  )

  kernelTest(
    "from a fiber of the server that outlives the message",
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const puppet = yield* start()
      const calling = yield* beside(
        puppet.call((n, { from }) =>
          Effect.as(
            Effect.forkIn(Effect.andThen(Effect.sleep(100), from!.succeed("later")), scope),
            GenServer.noReply(n)
          )
        )
      )
      assert.strictEqual(yield* puppet.call(get), 0)
      yield* later(100)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed("later"))
      yield* Scope.close(scope, Exit.void)
    })
  )

  kernelTest(
    "a typed failure later, an answer before the turn ends, and a second answer that is dropped",
    Effect.gen(function* () {
      const puppet = yield* start()
      const refused = new Refused({ why: "later" })
      assert.deepStrictEqual(
        yield* Effect.exit(puppet.call((n, { from }) => Effect.as(from!.fail(refused), GenServer.noReply(n)))),
        Exit.fail(refused)
      )
      const gate = yield* Deferred.make<void>()
      const early = yield* beside(
        puppet.call((n, { from }) =>
          Effect.as(Effect.andThen(from!.succeed("early"), Deferred.await(gate)), GenServer.reply("late", n + 1))
        )
      )
      assert.deepStrictEqual(yield* ended(early), Exit.succeed("early"))
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* puppet.call(get), 1)
      assert.strictEqual((yield* Kernel.counts).lateReplies, 1)
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 3 })
    })
  )

  for (const [what, end, reason] of [
    ["crashes", (puppet: Client) => puppet.cast(crash("bang")), ExitReason.defect("bang")],
    ["stops", (puppet: Client) => GenServer.terminate(puppet), ExitReason.normal],
    ["is killed", (puppet: Client) => Effect.flatMap(pidOf(puppet), Process.kill), ExitReason.killed]
  ] as const) {
    kernelTest(
      `the server ${what}: callers learn it, and later answers are counted as late`,
      Effect.gen(function* () {
        const puppet = yield* start()
        const waiting: Array<NonNullable<Context["from"]>> = []
        const calls = []
        for (let i = 0; i < 2; i++) {
          calls.push(
            yield* beside(
              puppet.call((n, { from }) => {
                waiting.push(from!)
                return GenServer.noReply(n)
              })
            )
          )
        }
        yield* Effect.ignore(end(puppet) as Effect.Effect<void>)
        for (const call of calls) assert.deepStrictEqual(failureOf(yield* ended(call)), down(reason, "unknown"))
        for (const { succeed } of waiting) yield* succeed("late")
        assert.strictEqual((yield* Kernel.counts).lateReplies, 2)
      })
    )
  }

  kernelTest(
    "a caller that times out or leaves is forgotten: its answer is late",
    Effect.gen(function* () {
      const puppet = yield* start()
      const waiting: Array<NonNullable<Context["from"]>> = []
      const defer = (n: number, { from }: Context) => {
        waiting.push(from!)
        return GenServer.noReply(n)
      }
      const slow = yield* beside(puppet.call(defer, { timeout: 100 }))
      const leaving = yield* beside(puppet.call(defer))
      yield* Fiber.interrupt(leaving)
      yield* later(100)
      assert.deepStrictEqual(failureOf(yield* ended(slow)), timedOut("unknown"))
      for (const { succeed } of waiting) yield* succeed("late")
      assert.strictEqual((yield* Kernel.counts).lateReplies, 2)
      assert.strictEqual(yield* puppet.call(get), 0)
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 3 })
    })
  )
})

describe("what a server keeps", () => {
  it.effect("keeps nothing of a caller that has left, though it was never answered", () =>
    inKernel(
      Effect.gen(function* () {
        const puppet = yield* start()
        // An effect of its own, so that only the server can hold the message.
        const held = yield* Effect.suspend(() => {
          const step = (n: number) => GenServer.noReply<number, string>(n)
          return Effect.as(beside(puppet.call(step, { timeout: 10 })), new WeakRef(step))
        })
        yield* later(10)
        yield* puppet.call(get)
        yield* settle
        assert.strictEqual(yield* neverFreed([held]), 0)
      })
    )
  )
})

describe("info", () => {
  kernelTest(
    "#76 timers reach info in due order; stop from there ends the server",
    Effect.gen(function* () {
      const seen: Array<string> = []
      const puppet = yield* start({
        info: (message, state) => {
          seen.push(String(message))
          return message === "stop" ? GenServer.stop(ExitReason.shutdown("info"), state) : GenServer.noReply(state)
        }
      })
      const pid = yield* pidOf(puppet)
      yield* puppet.call((n, { sendAfter }) =>
        Effect.as(
          Effect.all([sendAfter(300, "stop"), sendAfter(100, "a"), sendAfter(200, "b"), sendAfter(400, "never")]),
          GenServer.reply(0, n)
        )
      )
      assert.strictEqual((yield* Kernel.counts).timers, 4)
      yield* later(250)
      assert.deepStrictEqual(seen, ["a", "b"])
      yield* later(50)
      assert.deepStrictEqual(yield* Process.awaitExit(pid), ExitReason.shutdown("info"))
      assert.deepStrictEqual(seen, ["a", "b", "stop"])
      assert.strictEqual((yield* Kernel.counts).timers, 0)
    })
  )

  kernelTest(
    "a timer can be cancelled, and is dropped with the server",
    Effect.gen(function* () {
      const { options, seen } = journal()
      const puppet = yield* start(options)
      const set = (delay: number) =>
        puppet.call((n, { sendAfter }) =>
          Effect.map(sendAfter(delay, `${delay}`), (timer) => GenServer.reply(timer, n))
        )
      yield* Timer.cancel((yield* set(10)) as Timer.Timer)
      yield* set(20)
      yield* set(1000)
      yield* later(20)
      assert.deepStrictEqual(seen, ["20"])
      yield* GenServer.terminate(puppet)
      assert.strictEqual((yield* Kernel.counts).timers, 0)
    })
  )

  kernelTest(
    "a delay that makes no sense is a crash of the handler",
    Effect.gen(function* () {
      const puppet = yield* start()
      const failed = yield* failure(
        puppet.call((n, { sendEvery }) => Effect.as(sendEvery(0, "x"), GenServer.reply(0, n)))
      )
      assert.strictEqual(failed.reason._tag, "ServerDown")
    })
  )

  kernelTest(
    "sendEvery goes on until the server ends",
    Effect.gen(function* () {
      const { options, seen } = journal()
      const puppet = yield* start(options)
      yield* puppet.cast((n, { sendEvery }) => Effect.as(sendEvery(100, "tick"), GenServer.noReply(n)))
      for (let i = 0; i < 3; i++) yield* later(100)
      assert.deepStrictEqual(seen, ["tick", "tick", "tick"])
      yield* GenServer.terminate(puppet)
      yield* later(1000)
      assert.strictEqual(seen.length, 3)
    })
  )

  kernelTest(
    "a Down of a process that a handler monitors, and an Exit of one that it is linked to, in order",
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const gate = yield* Deferred.make<void>()
      const puppet = yield* start({
        init: Effect.as(Process.trapExit(true), 0),
        info: (message, state) => {
          seen.push(Signal.isSignal(message) ? [message._tag, message.reason] : message)
          return GenServer.noReply(state)
        }
      })
      const other = yield* Process.spawn(Effect.andThen(Deferred.await(gate), Effect.die("bang")))
      yield* puppet.call((n) =>
        Effect.as(Effect.andThen(Effect.orDie(Process.link(other)), Process.monitor(other)), GenServer.reply(0, n))
      )
      yield* Deferred.succeed(gate, undefined)
      yield* Process.awaitExit(other)
      yield* puppet.call(get)
      const bang = ExitReason.defect("bang")
      assert.deepStrictEqual(seen, [
        ["Exit", bang],
        ["Down", bang]
      ])
    })
  )

  kernelTest(
    "without a handler it is logged as a warning, and the server goes on",
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`))
      yield* Effect.provide(
        Effect.gen(function* () {
          const puppet = yield* start()
          yield* puppet.call((n, { sendAfter }) => Effect.as(sendAfter(1, "what?"), GenServer.reply(0, n)))
          yield* later(1)
          assert.strictEqual(yield* puppet.call(get), 0)
        }),
        Logger.layer([logger])
      )
      assert.deepStrictEqual(lines, ["Warn test/Puppet has no info handler, so it ignored a message"])
      assert.deepStrictEqual(yield* fates, { accepted: 3, handled: 3 })
    })
  )
})

describe("scopes and fibers of a turn", () => {
  kernelTest(
    "children that a handler forks end with the message, before its answer",
    Effect.gen(function* () {
      const order: Array<string> = []
      const puppet = yield* start()
      const log = (what: string) => Effect.sync(() => void order.push(what))
      yield* Effect.tap(
        puppet.call((n) =>
          Effect.gen(function* () {
            yield* Effect.forkChild(Effect.onInterrupt(Effect.never, () => log("child")))
            yield* settle
            return GenServer.reply(0, n)
          })
        ),
        () => log("answer")
      )
      assert.deepStrictEqual(order, ["child", "answer"])
    })
  )

  kernelTest(
    "a handler's scope is the message's, init's is that of the run",
    Effect.gen(function* () {
      const order: Array<string> = []
      const log = (what: string) => Effect.sync(() => void order.push(what))
      const puppet = yield* start({
        init: Effect.as(
          Effect.addFinalizer(() => log("run")),
          0
        ),
        terminate: () =>
          Effect.andThen(
            Effect.addFinalizer(() => log("of terminate")),
            log("terminate")
          )
      })
      const scoped = (name: string) => (n: number) =>
        Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.andThen(Effect.yieldNow, log(name)))
          yield* Effect.forkScoped(
            Effect.onInterrupt(Effect.never, () => log(`fiber of ${name}`)),
            {
              startImmediately: true
            }
          )
          return GenServer.reply(name, n)
        })
      yield* Effect.tap(puppet.call(scoped("one")), () => log("answer"))
      yield* puppet.call(scoped("two"))
      yield* GenServer.terminate(puppet)
      assert.deepStrictEqual(order, [
        "fiber of one",
        "one",
        "answer",
        "fiber of two",
        "two",
        "terminate",
        "of terminate",
        "run"
      ])
    })
  )

  kernelTest(
    "a finalizer of a message that dies is a crash, and the state stays as it was",
    Effect.gen(function* () {
      const ends: Array<number> = []
      const puppet = yield* start({ terminate: (_, state) => Effect.sync(() => void ends.push(state)) })
      const failed = yield* failure(
        puppet.call((n) =>
          Effect.as(
            Effect.addFinalizer(() => Effect.die("bang")),
            GenServer.reply(0, n + 1)
          )
        )
      )
      assert.deepStrictEqual(failed, down(ExitReason.defect("bang"), "unknown"))
      yield* settle
      assert.deepStrictEqual(ends, [0])
    })
  )

  kernelTest(
    "a thousand messages leave nothing on the server",
    Effect.gen(function* () {
      const puppet = yield* start()
      let live = 0
      for (let i = 0; i < 1000; i++) {
        yield* puppet.cast((n) =>
          Effect.as(
            Effect.forkChild(
              Effect.acquireUseRelease(
                Effect.sync(() => live++),
                () => Effect.never,
                () => Effect.sync(() => live--)
              ),
              { startImmediately: true }
            ),
            GenServer.noReply(n)
          )
        )
      }
      yield* puppet.call(get)
      assert.strictEqual(live, 0)
    }),
    2
  )

  kernelTest(
    "a long queue leaves others their turn",
    Effect.gen(function* () {
      const puppet = yield* start()
      let handled = 0
      let ticks = 0
      const ticker = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => ticks++)
          )
        )
      )
      for (let i = 0; i < 20_000; i++) {
        yield* puppet.cast((n) => {
          handled++
          return GenServer.noReply(n)
        })
      }
      yield* puppet.call(get)
      assert.strictEqual(handled, 20_000)
      assert.isAbove(ticks, 3)
      yield* Fiber.interrupt(ticker)
    }),
    2
  )

  kernelTest(
    "a plain handler runs in the process: its casts come from the process, and cannot be lost",
    asProcess(() =>
      Effect.gen(function* () {
        const one = yield* start()
        const two = yield* start()
        yield* one.call((n, { cast }) => {
          cast(two, "cast", set(3))
          return GenServer.reply(0, n)
        })
        assert.strictEqual(yield* two.call(get), 3)
      })
    )
  )

  kernelTest(
    "cast in a handler throws for a call's tag, and for a payload its Schema rejects",
    Effect.gen(function* () {
      const other = yield* start()
      for (const [tag, payload] of [
        ["call", get],
        ["nothing", get],
        ["cast", 3]
      ] as const) {
        const puppet = yield* start()
        const pid = yield* pidOf(puppet)
        yield* puppet.cast((n, { cast }) => {
          ;(cast as (to: Client, tag: string, payload: unknown) => void)(other, tag, payload)
          return GenServer.noReply(n)
        })
        assert.strictEqual((yield* Process.awaitExit(pid))._tag, "Crash")
      }
      assert.strictEqual(yield* other.call(get), 0)
    })
  )

  kernelTest(
    "messages sent between two turns wake the server, whenever they come",
    Effect.gen(function* () {
      const puppet = yield* start()
      for (let i = 0; i < 200; i++) {
        yield* puppet.cast((n) =>
          Effect.as(
            Effect.sync(() => {}),
            GenServer.noReply(n + 1)
          )
        )
        if (i % 3 === 0) yield* Effect.yieldNow
      }
      const calling = yield* beside(puppet.call(get))
      yield* settle
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(200))
    }),
    5
  )
})

describe("running", () => {
  kernelTest(
    "a server that waits for another does not delay the rest",
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const slow = yield* start()
      const waiting = yield* start()
      const free = yield* start()
      yield* slow.cast((n) => Effect.as(Deferred.await(gate), GenServer.noReply(n)))
      const calling = yield* beside(
        waiting.call((n) => Effect.map(Effect.orDie(slow.call(get)), (seen) => GenServer.reply(seen, n)))
      )
      assert.strictEqual(yield* free.call(get), 0)
      yield* running(calling)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* ended(calling), Exit.succeed(0))
    })
  )
})
