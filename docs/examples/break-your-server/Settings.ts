/**
 * The settings from the environment: `PORT`, `HOST` and `DATA_DIR`.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The exit code of a server that cannot start. A second try would fail, too. */
export const CANNOT_START = 78

/** The server cannot start with this setting. The message is a sentence for people. */
export class BadSetting extends Data.TaggedError("BadSetting")<{ readonly message: string }> {}

export class Settings extends Context.Service<
  Settings,
  { readonly port: number; readonly host: string; readonly dataDir: string }
>()("demo/Settings") {
  static readonly layer = Layer.effect(
    this,
    Effect.all({
      port: read(Config.Port("PORT").pipe(Config.withDefault(4000)), "PORT must be a whole number from 1 to 65535"),
      host: read(
        Config.NonEmptyString("HOST").pipe(Config.withDefault("127.0.0.1")),
        "HOST must be the name or address to listen on"
      ),
      dataDir: read(
        Config.NonEmptyString("DATA_DIR").pipe(Config.withDefault("./.data")),
        "DATA_DIR must be the folder to keep the history in"
      )
    })
  )
}

function read<A>(config: Config.Config<A>, sentence: string): Effect.Effect<A, BadSetting> {
  return Effect.mapError(config, () => new BadSetting({ message: sentence }))
}
