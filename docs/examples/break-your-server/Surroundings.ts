/**
 * The surroundings of the server in the operating system: its output, and the runner that started it.
 */
import process from "node:process"

/** If the terminal or the pipe is gone, the server goes on, and its output is lost. */
export const outliveTerminal = () => {
  process.stdout.on("error", () => {})
  process.stderr.on("error", () => {})
}

/**
 * Stops the server when the channel to its runner closes, so however the runner has ended. Without a runner there is no
 * channel.
 */
export const stopWithRunner = () => {
  if (process.send === undefined) return
  const stop = () => process.kill(process.pid, "SIGTERM")
  if (process.connected) process.once("disconnect", stop)
  else stop()
  process.channel?.unref()
}

/** The messages between the runner and a server. */
export const SERVE = "serve"
export const SERVING = "serving"

/** Calls `run` once the runner asks for it. Without a runner it calls it at once. */
export const whenWanted = (run: () => void) => {
  if (process.send === undefined) return run()
  process.on("message", (message) => {
    if (message === SERVE) run()
  })
}

export const tellServing = () => {
  if (process.connected) process.send?.(SERVING)
}
