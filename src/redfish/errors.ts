import { type Message, message } from './messages/message.ts'
import type { JsonObject } from './resource.ts'

/** The client is wrong, or the service cannot now: becomes an answer with every message (DSP0266, error responses). */
export class RedfishError extends Error {
  readonly status: number
  readonly messages: readonly Message[]
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, messages: Message | readonly Message[], headers: Record<string, string> = {}) {
    const list: readonly Message[] = 'MessageId' in messages ? [messages] : messages
    super(list.map((one) => one.MessageId).join(', '))
    this.name = 'RedfishError'
    this.status = status
    this.messages = list
    this.headers = headers
  }
}

/**
 * The error object of DSP0266; also the body of operations that have no resource to answer with. Of several messages
 * the general one speaks first, unless one of them is the headline.
 */
export function errorBody(messages: readonly Message[], headline?: Message): JsonObject {
  const [only, ...more] = messages
  const head = headline ?? (only !== undefined && more.length === 0 ? only : message('Base.GeneralError'))
  return {
    error: {
      code: head.MessageId,
      message: head.Message,
      '@Message.ExtendedInfo': messages.map((one) => ({ ...one })),
    },
  }
}

/** An error as IBM's platform tells it: what is wrong, and of several mistakes each as a violation. */
export function platformErrorBody(messages: readonly Message[]): JsonObject {
  const told = ({ Message: text, MessageId, MessageArgs }: Message): JsonObject => ({
    message: text,
    exception: { id: MessageId, properties: MessageArgs },
  })
  const [only, ...more] = messages
  if (only !== undefined && more.length === 0) return told(only)
  return { ...told(message('Redflash.RequestRefused')), violations: messages.map(told) }
}

/** 503 with `Retry-After`: the same request may succeed `seconds` later. */
export function busy(seconds: number, ...details: readonly Message[]): RedfishError {
  const messages = [message('Base.ServiceTemporarilyUnavailable', String(seconds)), ...details]
  return new RedfishError(503, messages, { 'Retry-After': String(seconds) })
}
