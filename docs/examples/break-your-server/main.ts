/**
 * Runs the server in an operating-system process of its own, and starts it again when it fails, as systemd or a
 * container platform would do. `npm start` runs this.
 */
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RestartPolicy from "effect-otp/supervision/RestartPolicy"
import { type ChildProcess, spawn } from "node:child_process"
import { enableCompileCache, getCompileCacheDir } from "node:module"
import process from "node:process"
import { fileURLToPath } from "node:url"
import { CANNOT_START } from "./Settings.ts"
import { outliveTerminal, SERVE, SERVING } from "./Surroundings.ts"

class ServerFailed extends Data.TaggedError("ServerFailed")<{
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}> {
  override get message() {
    return `The server has failed: ${this.signal === null ? `exit code ${this.code}` : "ended by a signal"}`
  }
}

/** Longer than the server needs to stop, or to report that it cannot. */
const KILL_AFTER_MILLIS = 10_000

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const

let toldToStop = false

/**
 * A server that waits until it is told to serve. It is in a process group of its own, so that Ctrl-C reaches only this
 * process, which tells the server once. When this process is gone, however it ended, the channel between the two
 * closes, and the server stops.
 */
const launch = () =>
  spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.resolve("./server.ts"))], {
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // The next server does not compile the same code again.
    env: { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() }
  })

/** The next server. It has loaded its program already, which takes most of a start. */
let spare: ChildProcess | undefined

const prepareSpare = () => {
  if (spare !== undefined || toldToStop) return
  const next = (spare = launch())
  const forget = () => {
    if (spare === next) spare = undefined
  }
  next.once("error", forget).once("exit", forget)
}

const runOnce = Effect.callback<void, ServerFailed>((resume) => {
  const server = spare ?? launch()
  spare = undefined
  server.on("message", (message) => {
    if (message === SERVING) prepareSpare()
  })
  server.send(SERVE, () => {
    // If the server is gone by now, the event "exit" says so.
  })
  const stop = () => {
    toldToStop = true
    spare?.kill("SIGTERM")
    server.kill("SIGTERM")
    setTimeout(() => server.kill("SIGKILL"), KILL_AFTER_MILLIS).unref()
  }
  for (const signal of signals) process.on(signal, stop)
  server.once("error", () => resume(Effect.fail(new ServerFailed({ code: null, signal: null }))))
  server.once("exit", (code, signal) => {
    for (const signal of signals) process.off(signal, stop)
    // If SIGTERM ends the server before it listens to signals, there was nothing to stop in good order.
    const ended = code === 0 || (toldToStop && signal === "SIGTERM")
    resume(ended ? Effect.void : Effect.fail(new ServerFailed({ code, signal })))
  })
})

const MAX_RESTARTS = 10
const WITHIN = "30 seconds"

const canTryAgain = ({ code }: ServerFailed) => code !== CANNOT_START && !toldToStop

const runner = runOnce.pipe(
  // If the server could not start, it has said why.
  Effect.tapError((error) => (error.code === CANNOT_START ? Effect.void : Console.error(error.message))),
  Effect.retry({ schedule: RestartPolicy.intensity({ max: MAX_RESTARTS, within: WITHIN }), while: canTryAgain }),
  Effect.tapError((error) =>
    canTryAgain(error) ? Console.error(`Giving up: more than ${MAX_RESTARTS} failures within ${WITHIN}`) : Effect.void
  )
)

outliveTerminal()
enableCompileCache()
Effect.runFork(runner).addObserver((exit) => process.exit(Exit.isSuccess(exit) ? 0 : 1))
