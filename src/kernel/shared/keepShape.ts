/**
 * Keeps the shapes of objects that live for a moment only.
 *
 * If the collector of V8 finds no object of a shape twice, V8 drops the shape, and with it the machine code of each
 * function that was optimized for it. So after a quiet time the functions that handle messages would be slow until V8
 * has optimized them again. One object that lives for ever keeps the shape.
 */
const kept: Array<object> = []

/** Keeps an object of each shape. It must have all its fields, and it must hold nothing. @internal */
export const keepShape = (...examples: ReadonlyArray<object>): void => {
  kept.push(...examples)
}
