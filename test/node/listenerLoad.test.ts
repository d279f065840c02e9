/** Real processes of Node that are told to stop while clients ask without a pause. */
import { assert, describe, it, onTestFinished } from "vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { startLoad, type Tally } from "../fixtures/httpLoad.ts"

const STOPS = process.env["OTP_DEEP"] === undefined ? 2 : 50

const startService = async () => {
  const program = fileURLToPath(new URL("web.ts", import.meta.url))
  const service = spawn(process.execPath, ["--conditions=source", program], { stdio: ["ignore", "pipe", "pipe"] })
  onTestFinished(() => {
    service.kill("SIGKILL")
  })
  let output = ""
  service.stderr.on("data", (part) => (output += String(part)))
  const port = await new Promise<number>((resolve) => {
    service.stdout.on("data", (part) => {
      output += String(part)
      const found = /port (\d+)/.exec(output)
      if (found !== null) resolve(Number(found[1]))
    })
  })
  return { service, port, output: () => output }
}

const exitOf = (service: ChildProcess) =>
  new Promise<number | null>((resolve) => service.once("exit", (code) => resolve(code)))

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

// To start Node takes time on a busy machine.
describe("a service with a NodeHttpListener", { timeout: STOPS * 60_000 }, () => {
  it("answers every request when it gets SIGTERM under load, and resets no connection", async () => {
    for (let stop = 0; stop < STOPS; stop++) {
      const { output, port, service } = await startService()
      const load = startLoad(port)
      while (load.answered() < 200) await sleep(20)
      await sleep(Math.random() * 300)
      const exited = exitOf(service)
      const begin = performance.now()
      service.kill("SIGTERM")
      const code = await exited
      const took = performance.now() - begin
      const tallies = await load.ended
      const faults = Object.entries(tallies).map(([kind, tally]) => [kind, faultsOf(tally)])
      assert.deepStrictEqual(
        { code, output: output(), faults: faults.filter(([, found]) => found!.length > 0) },
        { code: 0, output: `port ${port}\n`, faults: [] }
      )
      assert.isBelow(took, 4000)
      for (const [kind, { queued, refused }] of Object.entries(tallies)) {
        assert.isAbove(refused, 0, kind)
        assert.isBelow(queued.length, 5, kind)
      }
    }
  })
})

/** No server can help those that raced with the close of an idle connection, or waited in the queue of the port. */
const faultsOf = ({ lost, wrong }: Tally): ReadonlyArray<string> => [...wrong, ...lost]
