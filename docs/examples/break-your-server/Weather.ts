/**
 * Asks the weather service. After a bad answer, or none, this server ends, and its supervisor starts it again after a
 * pause. Meanwhile callers get an error at once, and the weather service gets no requests.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Rpc from "effect/rpc/Rpc"
import * as GenServer from "effect-otp/behaviour/GenServer"
import * as ExitReason from "effect-otp/kernel/ExitReason"
import { Upstream } from "./Upstream.ts"

export const City = Schema.String.check(
  Schema.isPattern(/^[a-z-]{1,32}$/, { message: "a city is named with 1 to 32 of a-z and -" })
)

const Report = Schema.Struct({ city: Schema.String, celsius: Schema.Finite })

/** The weather service does not answer at the moment. */
export class WeatherDown extends Schema.TaggedError<WeatherDown>("demo/WeatherDown")("WeatherDown", {
  message: Schema.String
}) {}

/** It does not say where the service is, because clients need not know that. */
export const weatherDown = () => new WeatherDown({ message: "the weather service does not answer at the moment" })

export class Weather extends GenServer.Service<Weather>()("demo/Weather", [
  Rpc.make("report", { payload: { city: City }, success: Report, error: WeatherDown })
]) {
  static readonly layer = this.define({
    init: () => Upstream.useSync(({ url }) => url),
    handlers: {
      report: ({ city }, url, { from }) =>
        ask(`${url}/${city}`).pipe(
          Effect.map((report) => GenServer.reply(report, url)),
          Effect.catch((error) =>
            Effect.as(from.fail(weatherDown()), GenServer.stop(ExitReason.shutdown(error._tag), url))
          )
        )
    }
  })
    .layer()
    .pipe(Layer.provide(FetchHttpClient.layer))
}

const ask = (url: string) =>
  HttpClient.get(url).pipe(
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Report)),
    Effect.timeout("250 millis")
  )

/** The pauses grow up to a quarter of a second. After five seconds without a failure they are short again. */
export const backOff = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("250 millis")]).pipe(
  Schedule.jittered
)
