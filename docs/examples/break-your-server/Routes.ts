/**
 * The HTTP side of the chat. Each request is decoded before anything else sees it. Failures are answered as JSON.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as ByteSize from "effect/ByteSize"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Headers from "effect/http/Headers"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Application from "effect-otp/application/Application"
import * as GenServer from "effect-otp/behaviour/GenServer"
import * as Process from "effect-otp/kernel/Process"
import { randomUUID } from "node:crypto"
import { type Failure, messageFor, statusOf } from "./Failures.ts"
import { breakTarget, targets } from "./Faults.ts"
import { Draft, RoomName } from "./Message.ts"
import * as Rooms from "./Rooms.ts"
import { Sessions } from "./Sessions.ts"
import { Store } from "./Storage.ts"
import { snapshot } from "./Tree.ts"
import { trusted } from "./Trust.ts"
import { City, Weather, weatherDown } from "./Weather.ts"

const MAX_BODY_KIB = 64

const json = HttpServerResponse.jsonUnsafe

// ---- failures -----------------------------------------------------------------------------------------------------

class BadBody extends Data.TaggedError("BadBody")<{ readonly message: string }> {}
class BadEncoding extends Data.TaggedError("BadEncoding")<{ readonly message: string }> {}
class NotAWebSocket extends Data.TaggedError("NotAWebSocket")<{ readonly message: string }> {}
class NotFound extends Data.TaggedError("NotFound")<{ readonly message: string }> {}

const refuse = (failure: Failure) =>
  Effect.succeed(json({ error: failure._tag, message: messageFor(failure) }, { status: statusOf[failure._tag] }))

const died = (defect: unknown) =>
  Effect.as(
    Effect.logError("A request died", defect),
    json({ error: "Defect", message: "this is a bug of the server: its log says more" }, { status: 500 })
  )

const route = <E extends Failure, R>(
  method: "GET" | "POST",
  path: HttpRouter.PathInput,
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
) =>
  HttpRouter.add(
    method,
    path,
    // This may wait for ever, and a handler of Effect's server is uninterruptible by default.
    Effect.interruptible(Effect.andThen(trusted, handler)).pipe(Effect.catch(refuse), Effect.catchDefect(died))
  )

// ---- what comes in ------------------------------------------------------------------------------------------------

const room = Effect.map(HttpRouter.schemaPathParams(Schema.Struct({ room: RoomName })), ({ room }) => room)

const decodeDraft = Schema.decodeUnknownEffect(Schema.fromJsonString(Draft))

const utf8 = new TextDecoder("utf-8", { fatal: true })

const draft = HttpServerRequest.HttpServerRequest.pipe(
  Effect.flatMap((request) => request.arrayBuffer),
  Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.kibibytes(MAX_BODY_KIB)),
  Effect.mapError(() => new BadBody({ message: `a body has to be complete, and at most ${MAX_BODY_KIB} KiB` })),
  Effect.flatMap((bytes) =>
    Effect.try({ try: () => utf8.decode(bytes), catch: () => new BadEncoding({ message: "a body has to be UTF-8" }) })
  ),
  Effect.flatMap(decodeDraft)
)

const DEFAULT_PAGE = 100
const MAX_PAGE = 1000

const Page = Schema.Struct({
  after: Schema.optionalKey(Schema.FiniteFromString.check(Schema.isInt())),
  limit: Schema.optionalKey(
    Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: MAX_PAGE }))
  )
})

const Target = Schema.Struct({ target: Schema.String, name: Schema.optionalKey(Schema.String) })

// ---- routes -------------------------------------------------------------------------------------------------------

const health = HttpRouter.add(
  "GET",
  "/health",
  Effect.map(Application.readiness, (status) => json({ status }, { status: status === "ready" ? 200 : 503 }))
)

/** The page for people who open the address: what they can try. */
const index = HttpRouter.add(
  "GET",
  "/",
  HttpServerRequest.HttpServerRequest.useSync(({ headers }) => {
    const url = `http://${headers["host"]}`
    return HttpServerResponse.text(`A chat server made to be broken. Listen with a WebSocket to /rooms/lobby/live, and try:

curl ${url}/rooms/lobby/messages --json '{"from": "joe", "text": "hello"}'
curl '${url}/rooms/lobby/messages?after=0&limit=${DEFAULT_PAGE}'
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
    const { after = 0, limit = DEFAULT_PAGE } = yield* HttpServerRequest.schemaSearchParams(Page)
    const messages = yield* (yield* Store).page({ room: name, after, limit })
    const running = yield* (yield* Rooms.Rooms).get(name)
    if (messages.length === 0 && after === 0 && Option.isNone(running)) {
      return yield* new NotFound({ message: `nobody has ever been in a room "${name}"` })
    }
    return json(messages)
  })
)

const isHandshake = (headers: Headers.Headers) =>
  headers["upgrade"]?.toLowerCase() === "websocket" &&
  headers["sec-websocket-version"] === "13" &&
  /^[+/0-9A-Za-z]{22}==$/.test(headers["sec-websocket-key"] ?? "")

const live = route(
  "GET",
  "/rooms/:room/live",
  Effect.gen(function* () {
    const name = yield* room
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!isHandshake(request.headers)) {
      return yield* new NotAWebSocket({ message: "this is a WebSocket: connect with ws://" })
    }
    const sessions = yield* Sessions
    const socket = yield* request.upgrade
    const id = randomUUID()
    const client = Option.getOrElse(request.remoteAddress, () => "unknown")
    const { socket: connection } = NodeHttpServerRequest.toIncomingMessage(request)
    const unread = () => connection.writableLength
    yield* Effect.acquireUseRelease(
      sessions.startChild(id, { id, room: name, client, socket, unread }),
      (session) =>
        Effect.flatMap(GenServer.pid(session), Option.match({ onNone: () => Effect.void, onSome: Process.awaitExit })),
      // The server is stopping, or the client has gone.
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
    return json(yield* Effect.catchTag(report, "CallError", () => Effect.fail(weatherDown())))
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
