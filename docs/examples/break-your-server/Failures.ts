/**
 * All failures of a request, and what the client is told about them.
 */
import * as Predicate from "effect/Predicate"

/** Failures that the client can do something about. */
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
  HistoryDown: 503,
  WeatherDown: 503
}

/** Failures inside the server. Their messages are not for clients. */
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

/** The sentence that a client gets. It is cut, because it may contain what the client has sent. */
export const messageFor = ({ _tag, message }: Failure) =>
  Predicate.hasProperty(troubles, _tag) ? "this is down or too busy at the moment: try again" : message.slice(0, 500)
