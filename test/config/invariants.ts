/** Checks the invariants of the library in the default kernel, too: a file fails if one of its tests has broken one. */
import { Context, Effect } from "effect"
import { afterAll } from "vitest"
import { Kernel, stateOf } from "../../src/kernel/shared/currentKernel.ts"
import { Development } from "../../src/kernel/shared/development.ts"

const kernel = stateOf(Context.get(Context.empty(), Kernel))
const development = (kernel.development ??= new Development(false))

afterAll(() => Effect.runSync(development.check))
