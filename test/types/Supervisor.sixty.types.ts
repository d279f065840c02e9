/**
 * Sixty children in one list, each of which needs the one before it. The type of the tree is exact, their order is
 * checked, and it compiles within the compiler's limits. `tsc --extendedDiagnostics` counts 111,000 instantiations for
 * this file, 97,000 of them for the libraries it imports. Checked by `tsc`; nothing here runs.
 */
// @effect-diagnostics floatingEffect:off
import type { Layer } from "effect"
import { type ChildSpec, Supervisor } from "effect-otp"
import type { Handle } from "effect-otp/kernel"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare const same: <A, B>(equal: Equal<A, B>) => void

/** The service of a server with a number, and the failure of its start. */
interface Server<out N> {
  readonly number: N
  readonly Service: Handle.Handle<never>
}
interface Failure<out N> {
  readonly failed: N
}
type Needs<P> = P extends number ? Server<P> : never

declare const layer: <N extends number, P>(number: N, needs: P) => Layer.Layer<Server<N>, Failure<N>, Needs<P>>
const child = <const N extends number, const P>(
  number: N,
  needs: P
): ChildSpec.ChildSpec<Server<N>, Failure<N>, Needs<P>> => Supervisor.child(layer(number, needs))

class Sixty extends Supervisor.Service<Sixty>()("types/Sixty", {
  strategy: "restForOne",
  children: [
    child(0, undefined),
    child(1, 0),
    child(2, 1),
    child(3, 2),
    child(4, 3),
    child(5, 4),
    child(6, 5),
    child(7, 6),
    child(8, 7),
    child(9, 8),
    child(10, 9),
    child(11, 10),
    child(12, 11),
    child(13, 12),
    child(14, 13),
    child(15, 14),
    child(16, 15),
    child(17, 16),
    child(18, 17),
    child(19, 18),
    child(20, 19),
    child(21, 20),
    child(22, 21),
    child(23, 22),
    child(24, 23),
    child(25, 24),
    child(26, 25),
    child(27, 26),
    child(28, 27),
    child(29, 28),
    child(30, 29),
    child(31, 30),
    child(32, 31),
    child(33, 32),
    child(34, 33),
    child(35, 34),
    child(36, 35),
    child(37, 36),
    child(38, 37),
    child(39, 38),
    child(40, 39),
    child(41, 40),
    child(42, 41),
    child(43, 42),
    child(44, 43),
    child(45, 44),
    child(46, 45),
    child(47, 46),
    child(48, 47),
    child(49, 48),
    child(50, 49),
    child(51, 50),
    child(52, 51),
    child(53, 52),
    child(54, 53),
    child(55, 54),
    child(56, 55),
    child(57, 56),
    child(58, 57),
    child(59, 58)
  ]
}) {}

type Numbers = Numbered<60>
type Numbered<N extends number, Found extends ReadonlyArray<number> = []> = Found["length"] extends N
  ? Found[number]
  : Numbered<N, [...Found, Found["length"]]>
type All<N, F extends "Server" | "Failure"> = N extends number ? (F extends "Server" ? Server<N> : Failure<N>) : never

same<typeof Sixty.layer, Layer.Layer<Sixty | All<Numbers, "Server">, All<Numbers, "Failure">>>(true)

// The order counts, however long the list is.
Supervisor.Service<never>()("types/Broken", {
  strategy: "restForOne",
  children: [
    // @ts-expect-error the first child needs what the second provides
    child(1, 0),
    child(0, undefined)
  ]
})
