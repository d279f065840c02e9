/** The size of the heap, where the host says it. */
import { attempt } from "../../values/valueKinds.ts"

interface Host {
  readonly process?: { readonly memoryUsage?: () => { readonly heapUsed: number } }
}

/** In bytes. @internal */
export const heapUsed = (): number | undefined => attempt(() => (globalThis as Host).process?.memoryUsage?.().heapUsed)
