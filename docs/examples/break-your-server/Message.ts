/**
 * The messages of people to each other, and their limits.
 */
import * as Schema from "effect/Schema"

const MAX_TEXT_BYTES = 4096

const bytes = new TextEncoder()

/** Half of a surrogate pair is not a character. The database would store another character for it. */
const WellFormed = Schema.String.check(
  Schema.makeFilter((text: string) => text.isWellFormed() || "must not have half a character in it")
)

export const RoomName = Schema.String.check(
  Schema.isPattern(/^[a-z0-9-]{1,32}$/, { message: "a room is named with 1 to 32 of a-z, 0-9 and -" })
)

const Author = WellFormed.check(
  Schema.isPattern(/^\S(.{0,62}\S)?$/u, { message: "must have 1 to 64 characters and no space around them" })
)

const Text = WellFormed.check(
  Schema.makeFilter((text: string) => {
    const length = bytes.encode(text).length
    return (length >= 1 && length <= MAX_TEXT_BYTES) || `must have 1 to ${MAX_TEXT_BYTES} bytes, not ${length}`
  })
)

/** What a client sends. */
export const Draft = Schema.Struct({ from: Author, text: Text })
export type Draft = typeof Draft.Type

/** A message in the history. Its `id` is unique, and greater than all earlier ones. */
export const Message = Schema.Struct({
  id: Schema.Int,
  room: Schema.String,
  from: Schema.String,
  text: Schema.String,
  sentAt: Schema.Int
})
export type Message = typeof Message.Type
