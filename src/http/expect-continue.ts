import type { IncomingMessage, ServerResponse } from 'node:http'

// A client that sends `Expect: 100-continue` holds its body back until it is asked for: a refusal costs it nothing.
const waiting = new WeakSet<IncomingMessage>()

/** The request's body is held back until `askForBody`. */
export function holdBody(request: IncomingMessage): void {
  waiting.add(request)
}

export function isHeldBack(request: IncomingMessage): boolean {
  return waiting.has(request)
}

/** The body is wanted: a client that waits for `100 Continue` gets it. */
export function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (waiting.delete(request)) response.writeContinue()
}
