/** A call got no answer. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { Respondable } from "effect/http/HttpServerRespondable"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import { printFields } from "../../../values/printAs.ts"
import * as ExitReason from "../../../kernel/ExitReason.ts"
import { CallReason, ServerDown } from "./callReason.ts"

export type CallStarted = "no" | "unknown"

const fields = {
  server: Schema.String,
  request: Schema.String,
  reason: CallReason,
  started: Schema.Literals(["no", "unknown"])
}

export class CallError
  extends Schema.TaggedError<CallError>("effect-otp/behaviour/GenServer/CallError")("CallError", fields, {
    description: "The server gave no answer.",
    httpApiStatus: 503
  })
  implements Respondable
{
  static {
    this.prototype.name = "CallError"
    printFields(this.prototype)
  }

  override get message(): string {
    const begun = this.started === "no" ? "the call did not begin" : "the call may have begun"
    return `${this.server}.${this.request}: ${this.reason.message} (${begun})`
  }

  /**
   * The reason. What a server crashed with is not in this chain of causes, because whatever encodes an error follows it.
   * It is in the `reason` of a `ServerDown`.
   */
  override get cause(): CallReason {
    return this.reason
  }

  /** Whether another attempt is safe and may succeed: the call did not begin, and its reason may pass. */
  get isRetryable(): boolean {
    return this.started === "no" && this.reason.isRetryable
  }

  /** The response of an HTTP handler that fails with it: 504 for a timeout, otherwise 503, without a body. */
  ["~effect/http/HttpServerRespondable"](): Effect.Effect<HttpServerResponse> {
    const status = isTimeout(this) ? 504 : 503
    return Effect.map(httpServerResponse, ({ empty }) => empty({ status }))
  }
}

/** Loaded when it is first needed: a program that has no HTTP server does not load that of Effect. */
const httpServerResponse = Effect.promise(() => import("effect/http/HttpServerResponse"))

const isTimeout = ({ reason }: CallError): boolean => reason._tag === "Timeout"

// ---- for HTTP -----------------------------------------------------------------------------------------------------

/** The error without what is known of the end of the server: an HTTP client may be a stranger. */
const outlined = (error: CallError): CallError => {
  const { reason, request, server, started } = error
  if (reason._tag !== "ServerDown") return error
  return new CallError({ server, request, started, reason: new ServerDown({ reason: bare(reason.reason) }) })
}

const bare = (reason: ExitReason.ExitReason): ExitReason.ExitReason => {
  if (reason._tag === "Crash") return ExitReason.crash(Cause.fromReasons([]))
  return reason._tag === "Shutdown" ? ExitReason.shutdown() : reason
}

const Outlined = CallError.pipe(
  Schema.decodeTo(
    Schema.toType(CallError),
    SchemaTransformation.transform<CallError, CallError>({ decode: (error) => error, encode: outlined })
  )
)

/** An endpoint of an `HttpApi` answers with the status of the first Schema that accepts the error. */
const answeredWith = (
  httpApiStatus: number,
  name: string,
  description: string,
  accepts: (error: CallError) => boolean
) =>
  Outlined.check(Schema.makeFilter(accepts)).annotate({
    identifier: `effect-otp/behaviour/GenServer/${name}`,
    description,
    httpApiStatus
  })

export const HttpCallError: readonly [timeout: typeof Outlined, unavailable: typeof Outlined] = [
  answeredWith(504, "CallTimeout", "The server gave no answer in time.", isTimeout),
  answeredWith(503, "CallFailure", "The server gave no answer.", (error) => !isTimeout(error))
]
