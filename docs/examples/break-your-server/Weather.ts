/**
 * Asks the weather service. A service that does not answer well ends this client, and its supervisor starts it again
 * after a pause: meanwhile askers get their answer at once, and the service gets some rest.
 */
import { Effect, Layer, Schedule, Schema } from "effect"
import { ExitReason, GenServer } from "effect-otp"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"
import { Rpc } from "effect/rpc"
import { Upstream } from "./Upstream.ts"

export const City = Schema.String.check(
  Schema.isPattern(/^[a-z-]{1,32}$/, { message: "a city is named with 1 to 32 of a-z and -" })
)

const Report = Schema.Struct({ city: Schema.String, celsius: Schema.Finite })

/** The weather service does not answer at the moment. */
export class WeatherDown extends Schema.TaggedError<WeatherDown>("demo/WeatherDown")("WeatherDown", {
  message: Schema.String
}) {}

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
            Effect.as(
              from.fail(new WeatherDown({ message: error.message })),
              GenServer.stop(ExitReason.shutdown(error._tag), url)
            )
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

/** Longer and longer pauses, up to a quarter of a second; short ones again after five good seconds. */
export const backOff = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("250 millis")]).pipe(
  Schedule.jittered
)
