/** A trace without secrets and within the limits. */
import { render, type Settings } from "../../../values/render.ts"
import type { Received, TraceEvent } from "./turnListeners.ts"

/** @internal */
export const shownTrace = (seen: TraceEvent, settings: Settings): TraceEvent => {
  const show = <A>(value: A): A => render(value, "same", settings) as A
  switch (seen._tag) {
    case "Received":
      return { ...seen, message: shownMessage(seen.message, show) }
    case "Answered":
      return { ...seen, exit: show(seen.exit) }
    case "State":
      return { ...seen, state: show(seen.state) }
  }
}

const shownMessage = (message: Received, show: <A>(value: A) => A): Received => {
  switch (message._tag) {
    case "Call":
    case "Cast":
      return { ...message, payload: show(message.payload) }
    case "Info":
      return { ...message, content: show(message.content) }
    case "Continue":
      return { ...message, token: show(message.token) }
    case "Idle":
      return message
  }
}
