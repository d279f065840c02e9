/**
 * What the chat answers over HTTP. What comes in is decoded before anybody else sees it; what fails is answered as JSON.
 */
import { ByteSize, Data, Effect, Layer, Option, Schema } from "effect"
import { Application, GenServer, Process } from "effect-otp"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { randomUUID } from "node:crypto"
import { breakTarget, targets } from "./Faults.ts"
import { Draft, RoomName } from "./Message.ts"
import * as Rooms from "./Rooms.ts"
import { Sessions } from "./Sessions.ts"
import { Store } from "./Storage.ts"
import { snapshot } from "./Tree.ts"
import { City, Weather, WeatherDown } from "./Weather.ts"

const MAX_BODY_KIB = 64

const json = HttpServerResponse.jsonUnsafe

// ---- failures -----------------------------------------------------------------------------------------------------

class BadBody extends Data.TaggedError("BadBody")<{ readonly message: string }> {}
class Draining extends Data.TaggedError("Draining")<{ readonly message: string }> {}
class NotAWebSocket extends Data.TaggedError("NotAWebSocket")<{ readonly message: string }> {}
class NotFound extends Data.TaggedError("NotFound")<{ readonly message: string }> {}

/** All that a request can fail with. */
const statusOf = {
  SchemaError: 400,
  NotFound: 404,
  UnknownTarget: 404,
  BadBody: 413,
  NotAWebSocket: 426,
  CallError: 503,
  ChildAlreadyStarted: 503,
  ChildNotFound: 503,
  Draining: 503,
  HistoryDown: 503,
  HttpServerError: 503,
  MaxChildren: 503,
  SocketError: 503,
  SupervisorDown: 503,
  WeatherDown: 503
}

interface Failure {
  readonly _tag: keyof typeof statusOf
  readonly message: string
}

const refuse = ({ _tag, message }: Failure) =>
  Effect.succeed(json({ error: _tag, message }, { status: statusOf[_tag] }))

const died = (defect: unknown) =>
  Effect.as(
    Effect.logError("A request died", defect),
    json({ error: "Defect", message: "this is a bug of the server: its log says more" }, { status: 500 })
  )

const whileReady = Effect.flatMap(Application.readiness, (status) =>
  status === "draining" ? Effect.fail(new Draining({ message: "the server is about to stop" })) : Effect.void
)

const route = <E extends Failure, R>(
  method: "GET" | "POST",
  path: HttpRouter.PathInput,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  HttpRouter.add(method, path, Effect.andThen(whileReady, handler).pipe(Effect.catch(refuse), Effect.catchDefect(died)))

// ---- what comes in ------------------------------------------------------------------------------------------------

const room = Effect.map(HttpRouter.schemaPathParams(Schema.Struct({ room: RoomName })), ({ room }) => room)

const decodeDraft = Schema.decodeUnknownEffect(Schema.fromJsonString(Draft))

const draft = HttpServerRequest.HttpServerRequest.pipe(
  Effect.flatMap((request) => request.text),
  Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.kibibytes(MAX_BODY_KIB)),
  Effect.mapError(() => new BadBody({ message: `a body has to be complete, and at most ${MAX_BODY_KIB} KiB` })),
  Effect.flatMap(decodeDraft)
)

const After = Schema.Struct({ after: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt())) })

const Target = Schema.Struct({ target: Schema.String, name: Schema.optionalKey(Schema.String) })

// ---- routes -------------------------------------------------------------------------------------------------------

const health = HttpRouter.add(
  "GET",
  "/health",
  Effect.map(Application.readiness, (status) => json({ status }, { status: status === "ready" ? 200 : 503 }))
)

/** What there is to try, for who opens the address. */
const index = HttpRouter.add(
  "GET",
  "/",
  HttpServerRequest.HttpServerRequest.useSync(({ headers }) => {
    const url = `http://${headers["host"]}`
    return HttpServerResponse.text(`A chat server made to be broken. Listen with a WebSocket to /rooms/lobby/live, and try:

curl ${url}/rooms/lobby/messages -d '{"from": "joe", "text": "hello"}'
curl ${url}/rooms/lobby/messages
curl ${url}/weather/london
curl ${url}/tree
curl -X POST ${url}/break/room/lobby

What can be broken: ${targets.join(", ")}.
`)
  })
)

const post = route(
  "POST",
  "/rooms/:room/messages",
  Effect.gen(function* () {
    const message = yield* Rooms.post(yield* room, yield* draft)
    return json(message, { status: 201 })
  })
)

const history = route(
  "GET",
  "/rooms/:room/messages",
  Effect.gen(function* () {
    const name = yield* room
    const { after = 0 } = yield* HttpServerRequest.schemaSearchParams(After)
    const messages = yield* (yield* Store).history({ room: name, after })
    const running = yield* (yield* Rooms.Rooms).get(name)
    if (messages.length === 0 && after === 0 && Option.isNone(running)) {
      return yield* new NotFound({ message: `nobody has ever been in a room "${name}"` })
    }
    return json(messages)
  })
)

const live = route(
  "GET",
  "/rooms/:room/live",
  Effect.gen(function* () {
    const name = yield* room
    const request = yield* HttpServerRequest.HttpServerRequest
    if (request.headers["upgrade"]?.toLowerCase() !== "websocket") {
      return yield* new NotAWebSocket({ message: "this is a WebSocket: connect with ws://" })
    }
    const sessions = yield* Sessions
    const socket = yield* request.upgrade
    const id = randomUUID()
    yield* Effect.acquireUseRelease(
      sessions.startChild(id, { id, room: name, socket }),
      (session) =>
        Effect.flatMap(GenServer.pid(session), Option.match({ onNone: () => Effect.void, onSome: Process.awaitExit })),
      // The server stops, or the client has gone away.
      () => Effect.ignore(sessions.terminateChild(id))
    )
    return HttpServerResponse.empty()
  })
)

const weather = route(
  "GET",
  "/weather/:city",
  Effect.gen(function* () {
    const { city } = yield* HttpRouter.schemaPathParams(Schema.Struct({ city: City }))
    const report = (yield* Weather).report({ city })
    const down = ({ message }: { readonly message: string }) => Effect.fail(new WeatherDown({ message }))
    return json(yield* Effect.catchTag(report, "CallError", down))
  })
)

const breakIt = Effect.gen(function* () {
  const { target, name = "" } = yield* HttpRouter.schemaPathParams(Target)
  return json({ broke: yield* breakTarget(target, name) }, { status: 202 })
})

const tree = route(
  "GET",
  "/tree",
  Effect.map(snapshot, (found) => json(found))
)

const notFound = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
  Effect.fail(new NotFound({ message: `there is no ${method} ${url}` }))
)

export const routes = Layer.mergeAll(
  index,
  health,
  post,
  history,
  live,
  weather,
  route("POST", "/break/:target", breakIt),
  route("POST", "/break/:target/:name", breakIt),
  tree,
  HttpRouter.add("*", "/*", Effect.catch(notFound, refuse))
)
