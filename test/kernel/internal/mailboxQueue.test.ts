import { assert, describe, it } from "@effect/vitest"
import { cpuMillis } from "../../fixtures/cpu.ts"
import { forAll } from "../../fixtures/property.ts"
import { CROWD, Mailbox } from "../../../src/kernel/shared/mailbox.ts"

interface Message {
  readonly n: number
}

const slotsOf = (mailbox: Mailbox<Message>) =>
  (mailbox as unknown as { readonly items: ReadonlyArray<unknown> | undefined }).items?.length ?? 0

describe("the queue of a mailbox", () => {
  it("agrees with an array over random operations", () => {
    forAll(({ size, int, chance, pick }) => {
      const mailbox = new Mailbox<Message>()
      let model: Array<Message> = []
      let n = 0
      let end = 0
      // Sometimes long enough that the read slots are removed.
      const long = chance(0.02)
      const times = long ? 600 : 1
      for (let step = 0; step < (long ? 20 : size); step++) {
        switch (int(6)) {
          case 0:
          case 1:
            for (let i = 0; i < times; i++) {
              const message = { n: n++ }
              model.push(message)
              mailbox.push(message)
            }
            break
          case 2: {
            const expected = model.splice(0, times)
            const got = Array.from({ length: times }, () => mailbox.shift())
            assert.isTrue(got.every((message, i) => message === expected[i]))
            break
          }
          case 3: {
            const rest = 1 + int(3)
            const matches = (message: Message) => message.n % 4 === rest
            const expected = model.filter(matches).slice(0, times)
            model = model.filter((message) => !expected.includes(message))
            const got = Array.from({ length: times }, () => mailbox.take(matches))
            assert.isTrue(got.every((message, i) => message === expected[i]))
            break
          }
          case 4: {
            if (model.length === 0) break
            const message = pick(model)
            model = model.filter((other) => other !== message)
            assert.isTrue(mailbox.remove(message))
            assert.isFalse(mailbox.remove(message))
            break
          }
          default:
            if (chance(0.1)) {
              assert.deepStrictEqual(mailbox.clear(), model)
              model = []
            }
        }
        assert.strictEqual(mailbox.size, model.length)
        assert.isAtLeast(mailbox.end, end, "positions only grow")
        end = mailbox.end
      }
      assert.isTrue(mailbox.clear().every((message, i) => message === model[i]))
      assert.strictEqual(mailbox.shift(), undefined)
    })
  })

  it("a search from a position finds the first message at or after it", () => {
    forAll(({ size, int, chance }) => {
      const mailbox = new Mailbox<Message>()
      const isTarget = (message: Message) => message.n === -1
      const few = chance(0.01) ? 1500 : 5
      let n = 0
      // Like a receive: look at all messages, remember the end, and then look only behind it.
      for (let step = 0; step < Math.min(size, 8); step++) {
        assert.strictEqual(mailbox.take(isTarget), undefined)
        let seen = mailbox.end
        for (let more = int(4); more > 0; more--) {
          for (let i = int(few); i > 0; i--) mailbox.push({ n: ++n })
          const third = int(3)
          for (let i = int(few); i > 0; i--) mailbox.take((message) => message.n % 3 === third)
          assert.strictEqual(mailbox.take(isTarget, seen), undefined)
          seen = mailbox.end
        }
        mailbox.push({ n: -1 })
        for (let i = int(few); i > 0; i--) mailbox.take((message) => message.n > 0 && message.n % 2 === 0)
        assert.deepStrictEqual(mailbox.take(isTarget, seen), { n: -1 })
      }
    })
  })

  it("removes many consecutive messages without searching all, whatever stays between them", () => {
    const mailbox = new Mailbox<Message>()
    const all = Array.from({ length: 200_000 }, (_, n) => ({ n }))
    for (const message of all) mailbox.push(message)
    const begun = cpuMillis()
    for (const message of all) if (message.n % 2 === 1) mailbox.remove(message)
    // A search from the front would take ten seconds and more.
    assert.isBelow(cpuMillis() - begun, 2000)
    assert.strictEqual(mailbox.size, 100_000)
  })

  it("keeps no more slots than it needs behind a message that is never taken", () => {
    const mailbox = new Mailbox<Message>()
    mailbox.push({ n: 0 })
    for (let n = 1; n < 100_000; n++) {
      mailbox.push({ n })
      mailbox.take((message) => message.n > 0)
      if (slotsOf(mailbox) > 5000) assert.fail("slots pile up")
    }
    for (let n = 0; n < 50_000; n++) mailbox.push({ n })
    while (mailbox.shift() !== undefined);
    assert.strictEqual(slotsOf(mailbox), 0)
  })

  it("tells its owner when it passes 100,000 messages, and again only after it was below half of that", () => {
    let runs = 0
    forAll(({ int, pick }) => {
      // Each run moves half a million messages.
      if (++runs % 250 !== 0) return
      const mailbox = new Mailbox<Message>()
      const owner = { told: 0, crowded: () => void owner.told++ }
      let model: Array<Message> = []
      let expected = 0
      let isArmed = true
      let n = 0
      const check = () => {
        if (isArmed && model.length > CROWD) {
          expected++
          isArmed = false
        }
        if (model.length < CROWD / 2) isArmed = true
        assert.strictEqual(mailbox.size, model.length)
        assert.strictEqual(owner.told, expected)
      }
      const push = (count: number) => {
        for (let i = 0; i < count; i++) {
          const message = { n: n++ }
          model.push(message)
          mailbox.push(message, owner)
        }
        check()
      }
      const shift = (count: number) => {
        model = model.slice(count)
        for (let i = 0; i < count; i++) mailbox.shift()
        check()
      }
      const take = (count: number) => {
        // After the first message, which is never taken.
        model = [...model.slice(0, 1), ...model.slice(1 + count)]
        const [first] = model
        for (let i = 0; i < count; i++) mailbox.take((message) => message !== first)
        check()
      }
      for (let step = 0; step < 5; step++) {
        // To the numbers that matter, and to one more or less.
        const goal = pick([CROWD, CROWD / 2, 0, 1500, CROWD + 40_000]) + int(3) - 1
        const more = Math.max(goal, 0) - model.length
        if (more >= 0) push(more)
        else {
          const few = step % 2 === 0 ? 0 : Math.min(-more, model.length - 1, 2000)
          take(few)
          shift(-more - few)
        }
      }
    })
  })
})
