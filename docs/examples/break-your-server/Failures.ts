/**
 * All that a request can fail with, and what the client is told of it.
 */
import * as Predicate from "effect/Predicate"

/** What the client can do something about. */
const refusals = {
  BadEncoding: 400,
  SchemaError: 400,
  ForeignOrigin: 403,
  NotFound: 404,
  UnknownTarget: 404,
  BadBody: 413,
  NotJson: 415,
  WrongHost: 421,
  NotAWebSocket: 426,
  TooManySockets: 429,
  Draining: 503,
  HistoryDown: 503,
  WeatherDown: 503
}

/** What comes from inside: its message names what is none of the client's business. */
const troubles = {
  AlreadyStarted: 503,
  CallError: 503,
  ChildNotFound: 503,
  HttpServerError: 503,
  MaxChildren: 503,
  SocketError: 503,
  SupervisorDown: 503
}

export const statusOf = { ...refusals, ...troubles }

export interface Failure {
  readonly _tag: keyof typeof statusOf
  readonly message: string
}

/** What a client gets to read: a sentence, and not all of what it has sent itself. */
export const messageFor = ({ _tag, message }: Failure) =>
  Predicate.hasProperty(troubles, _tag) ? "this is down or too busy at the moment: try again" : message.slice(0, 500)
