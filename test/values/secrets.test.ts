import { assert, describe, it } from "@effect/vitest"
import { cpuMillis } from "../fixtures/cpu.ts"
import { defaultNames, secretsOf } from "../../src/values/secrets.ts"
import { forAll } from "../fixtures/property.ts"

const secrets = secretsOf(defaultNames)

describe("the value under a name", () => {
  it.each([
    ...["password", "Password", "PASSWORD", "password2", "dbPassword", "DB_PASSWORD", "db-password", "passwordHash"],
    ...["accessToken", "access_token", "X-Auth-Token", "accesstoken", "tokens", "clientSecret", "secrets", "SecretKey"],
    ...["authorization", "Authorization", "proxy-authorization", "cookie", "Set-Cookie", "cookies", "credentials"],
    ...["apiKey", "api_key", "API-KEY", "APIKey", "x-api-key", "apikey", "stripeApiKey", "privateKey", "AccountKey"],
    ...["passphrase", "pwd", "pass", "jwt", "sessionId", "session_id", "csrfToken", "SharedAccessKey"]
  ])("%s is hidden", (name) => {
    assert.isTrue(secrets.hides(name, "x"))
    assert.isTrue(secrets.hides(name, ["x"]))
  })

  it.each(["name", "key", "keys", "id", "secretary", "tokenizer", "passenger", "author", "spin", "bypass", ""])(
    "%s is shown",
    (name) => assert.isFalse(secrets.hides(name, "x"))
  )

  it("is shown if it is a flag or nothing, or counts something", () => {
    assert.isFalse(secrets.hides("hasPassword", true))
    assert.isFalse(secrets.hides("password", undefined))
    assert.isFalse(secrets.hides("token", null))
    assert.isFalse(secrets.hides("tokenCount", 3))
    assert.isFalse(secrets.hides("maxTokens", 3))
    assert.isTrue(secrets.hides("pin", 1234))
    assert.isTrue(secrets.hides("dbPassword", 1234))
  })

  it("is hidden by your own names and patterns, which replace the others", () => {
    const own = secretsOf(["social security number", /^x-internal-/g])
    assert.isTrue(own.hides("socialSecurityNumber", "x"))
    assert.isTrue(own.hides("x-internal-a", "x"))
    assert.isTrue(own.hides("x-internal-a", "x"))
    assert.isFalse(own.hides("password", "x"))
  })
})

describe("a text", () => {
  it.each([
    ["postgres://joe:hunter2@db:5432/app", "postgres://<redacted>@db:5432/app"],
    [
      "cannot reach redis://:hunter2@cache.example, retrying",
      "cannot reach redis://<redacted>@cache.example, retrying"
    ],
    ["amqp://a:hunt@er2@host/v", "amqp://<redacted>@host/v"],
    ["amqp://a:hunt/er2@host/v", "amqp://<redacted>@host/v"],
    ["https://hunter2@git.example/x.git", "https://<redacted>@git.example/x.git"],
    ["https://x.example/a?access_token=hunter2&page=2", "https://x.example/a?access_token=<redacted>&page=2"],
    ["host=db password=hunter2 user=joe", "host=db password=<redacted> user=joe"],
    ["Server=db;Pwd=hunter2;Database=a", "Server=db;Pwd=<redacted>;Database=a"],
    ["error: password=hunter2", "error: password=<redacted>"],
    [`{"user":"joe","dbPassword":"hunter 2"}`, `{"user":"joe","dbPassword":<redacted>}`],
    [`"{\\"password\\":\\"hunter2\\"}"`, `"{\\"password\\":<redacted>}"`],
    ["Authorization: Bearer hunter", "Authorization: <redacted>"],
    ["sent with Bearer abc.def-123 to x", "sent with Bearer <redacted> to x"],
    ["key eyJhbGciOi.eyJzdWIiOiIx.c2lnbmF0dXJl end", "key <redacted> end"],
    ["-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "<redacted>"]
  ])("%s is shown as %s", (text, shown) => {
    assert.strictEqual(secrets.text(text), shown)
  })

  it.each([
    "listen EADDRINUSE: address already in use 127.0.0.1:4000",
    "http://localhost:4000/users/ann@example.com",
    "https://npm.example/@scope/pkg",
    "Basic authentication is off",
    "mail ann@example.com: no answer",
    "Unexpected token } in JSON at position 3",
    "at file:///app/src/x.ts:12:3"
  ])("%s is shown as it is", (text) => {
    assert.strictEqual(secrets.text(text), text)
  })

  it("never shows the password of an address, wherever it stands", () => {
    const parts = [
      "a",
      " ",
      "=",
      ":",
      "/",
      "@",
      "?",
      "&",
      '"',
      "'",
      "{",
      "\n",
      "password",
      "Bearer ",
      "://",
      "x=",
      "\\"
    ]
    forAll(({ int, pick, size }) => {
      const noise = () => Array.from({ length: int(size) }, () => pick(parts)).join("")
      const text = `${noise()} postgres://joe:hunter2@db/app ${noise()}`
      assert.notInclude(secrets.text(text), "hunter2", JSON.stringify(text))
    })
  })

  it("takes time in proportion to its length", () => {
    for (const part of [
      "a",
      "a:",
      "password",
      "password=",
      "://",
      "a://b:",
      "Bearer ",
      '"',
      "\\",
      "eyJ",
      "a.",
      "-----BEGIN "
    ]) {
      const begun = cpuMillis()
      secrets.text(part.repeat(20_000 / part.length))
      assert.isBelow(cpuMillis() - begun, 500, part)
    }
  })
})
