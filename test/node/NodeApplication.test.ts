/** Real processes of Node, because the subject is signals and exit codes. */
import { assert, describe, it } from "vitest"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

interface Ended {
  readonly code: number | null
  readonly stdout: ReadonlyArray<string>
  readonly stderr: string
}

/** Runs the program and calls `onLine` for each line it prints. */
const run = (mode: string, onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> =>
  new Promise((resolve) => {
    const program = fileURLToPath(new URL("program.ts", import.meta.url))
    const child = spawn(process.execPath, ["--conditions=source", program, mode], { stdio: ["ignore", "pipe", "pipe"] })
    const stdout: Array<string> = []
    let stderr = ""
    let rest = ""
    child.stdout.on("data", (chunk) => {
      const lines = (rest + String(chunk)).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        stdout.push(line)
        onLine(line, (signal) => child.kill(signal))
      }
    })
    child.stderr.on("data", (chunk) => (stderr += String(chunk)))
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

const none = () => {}
const onReady = (signal: NodeJS.Signals) => (line: string, kill: (signal: NodeJS.Signals) => void) => {
  if (line === "ready") kill(signal)
}

// To start Node takes time on a busy machine.
describe.concurrent("runMain", { timeout: 60_000 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`${signal} stops in order and exits 0`, async () => {
      const { code, stdout, stderr } = await run("wait", onReady(signal))
      assert.deepStrictEqual(
        { code, stdout, stderr },
        { code: 0, stdout: ["ready", "draining", "released"], stderr: "" }
      )
    })
  }

  it("a signal during the start stops what was started and exits 0", async () => {
    const { code, stderr } = await run("slow-start", (line, kill) => {
      if (line === "starting") kill("SIGTERM")
    })
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  })

  it("a second signal exits at once with 128 and its number", async () => {
    const { code } = await run("hang", (line, kill) => {
      if (line === "ready") kill("SIGTERM")
      if (line === "draining") kill("SIGINT")
    })
    assert.strictEqual(code, 130)
  })

  it("stopping past the budget exits 1 and names the processes that hung", async () => {
    const { code, stdout, stderr } = await run("hang", onReady("SIGTERM"))
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: ["ready", "draining"] })
    assert.match(stderr, /StopTimeout: The application did not stop within 200ms. Still there: .*main <0\.\d+>/)
  })

  it("a tree that ends on purpose exits 0", async () => {
    const { code, stderr } = await run("done", none)
    assert.deepStrictEqual({ code, stderr }, { code: 0, stderr: "" })
  })

  it("a tree that gives up exits 1 with the reason on stderr", async () => {
    const { code, stderr } = await run("give-up", none)
    assert.strictEqual(code, 1)
    assert.include(stderr, "test/Main gave up on main after 1 failure")
  })

  it("a start that fails exits 1 with its whole cause on stderr, once", async () => {
    const { code, stdout, stderr } = await run("bad-start", none)
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: [] })
    assert.match(stderr, /FATAL .*The application failed: PortTaken: the port is taken\n/)
    assert.strictEqual(stderr.split("EADDRINUSE: address already in use").length, 2, stderr)
    assert.strictEqual(stderr.split("FATAL").length, 2, stderr)
  })

  it("a start that is interrupted from inside exits 1 and says so on stderr", async () => {
    const { code, stdout, stderr } = await run("interrupted-start", none)
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: [] })
    assert.include(stderr, "Something inside the application interrupted its start, although nobody asked it to stop")
  })

  it("a tree that gives up while later layers are built exits 1 with the reason on stderr", async () => {
    const { code, stderr } = await run("give-up-early", none)
    assert.strictEqual(code, 1)
    assert.include(stderr, "test/Early gave up on main after 1 failure")
  })

  it("stopping past the budget during the start exits 1 and names the process that hung", async () => {
    const { code, stderr } = await run("hanging-start", (line, kill) => {
      if (line === "starting") kill("SIGTERM")
    })
    assert.strictEqual(code, 1)
    assert.match(stderr, /StopTimeout: The application did not stop within 200ms. Still there: .*main <0\.\d+>/)
  })

  it("a throw in a raw callback is an orderly stop with exit code 1", async () => {
    const { code, stdout, stderr } = await run("uncaught", none)
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: ["ready", "draining", "released"] })
    assert.include(stderr, "An error was not caught: Error: thrown in a raw callback")
  })

  it("an unhandled rejection is an orderly stop with exit code 1", async () => {
    const { code, stdout, stderr } = await run("rejection", none)
    assert.deepStrictEqual({ code, stdout }, { code: 1, stdout: ["ready", "draining", "released"] })
    assert.include(stderr, "An error was not caught: Error: rejected by nobody")
  })
})

describe("Layer.launch under Effect's own runMain", { timeout: 60_000 }, () => {
  it("exits 1 with the reason in the log when its tree gives up", async () => {
    const { code, stdout } = await run("launch", none)
    assert.strictEqual(code, 1)
    assert.include(stdout.join("\n"), "The supervision tree test/Launched ended: Shutdown: test/Launched gave up")
  })
})
