/**
 * What is around the server in the operating system: who reads what it prints, and who runs it.
 */
import process from "node:process"

/** A terminal or a pipe that is gone is no reason to end: what is printed from then on is lost. */
export const outliveTerminal = () => {
  process.stdout.on("error", () => {})
  process.stderr.on("error", () => {})
}

/** Stops when the runner is gone, however it ended: the channel to it closes. Without a runner there is no channel. */
export const stopWithRunner = () => {
  if (process.send === undefined) return
  const stop = () => process.kill(process.pid, "SIGTERM")
  if (process.connected) process.once("disconnect", stop)
  else stop()
  process.channel?.unref()
}

/** What the runner and a server tell each other. */
export const SERVE = "serve"
export const SERVING = "serving"

/** Runs once the runner says so. Without a runner it runs at once. */
export const whenWanted = (run: () => void) => {
  if (process.send === undefined) return run()
  process.on("message", (message) => {
    if (message === SERVE) run()
  })
}

export const tellServing = () => {
  if (process.connected) process.send?.(SERVING)
}
