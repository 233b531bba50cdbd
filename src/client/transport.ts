import { Agent, request } from 'undici'
import type { Clock } from '../lib/clock.ts'
import { isObject, type JsonObject } from '../redfish/resource.ts'

export interface TransportOptions {
  /** Accept any certificate: most BMCs have made their own. */
  readonly insecure: boolean
  /** Whom to trust (PEM) in the place of those whom Node trusts. */
  readonly authorities?: readonly string[]
  /** How long to wait for an answer, and by which clock; for ever unless given. */
  readonly patience?: { readonly clock: Pick<Clock, 'schedule' | 'io'>; readonly answerMs: number }
}

export interface ClientAnswer {
  readonly status: number
  readonly location: string | undefined
  /** Seconds. */
  readonly retryAfterS: number | undefined
  /** X-Auth-Token, where a session was opened. */
  readonly token: string | undefined
  readonly body: JsonObject
}

type Body = Uint8Array | AsyncIterable<Uint8Array>

export interface Sending {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Body | undefined
  readonly signal?: AbortSignal | undefined
}

/** Resources are kilobytes. */
const MAX_ANSWER_BYTES = 2 ** 25

/** Requests and answers of one service. */
export class Transport {
  readonly #origin: string
  readonly #patience: TransportOptions['patience']
  readonly #agent: Agent

  constructor(origin: string, { insecure, authorities, patience }: TransportOptions) {
    this.#origin = origin
    this.#patience = patience
    this.#agent = new Agent({
      // A service may take as long as it likes to judge an image of gigabytes before it answers.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
      connect: {
        rejectUnauthorized: !insecure,
        // A certificate that is trusted itself need not be one that signs.
        ...(authorities && { ca: [...authorities], allowPartialTrustChain: true }),
      },
    })
  }

  /** Rejects where there is no answer; with the signal's reason when that is aborted. */
  async send(method: string, path: string, sending: Sending): Promise<ClientAnswer> {
    const watch = this.#watch(sending)
    const work = this.#ask(method, path, watch)
    try {
      return await (this.#patience?.clock.io(work) ?? work)
    } catch (error) {
      sending.signal?.throwIfAborted()
      throw watch.isLate() ? new LateError() : error
    } finally {
      watch.end()
    }
  }

  close(): Promise<void> {
    return this.#agent.close()
  }

  async #ask(method: string, path: string, { headers, body, signal }: Sending): Promise<ClientAnswer> {
    // Whatever a service calls its own is on it: credentials go nowhere else.
    const { pathname, search } = new URL(path, this.#origin)
    const answer = await request(`${this.#origin}${pathname}${search}`, {
      method: method as 'GET', // undici's type is a list
      headers: { 'OData-Version': '4.0', Accept: 'application/json', ...headers },
      body: body === undefined ? null : (body as Uint8Array), // undici takes iterables, its types only some
      dispatcher: this.#agent,
      ...(signal && { signal }),
    })
    const retryAfter = Number(answer.headers['retry-after'] ?? NaN)
    return {
      status: answer.statusCode,
      location: headerOf(answer.headers['location']),
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : undefined,
      token: headerOf(answer.headers['x-auth-token']),
      body: parseObject(await answer.body.text()),
    }
  }

  /** Ends what has come to a standstill: for so long nothing was taken of the body, or answered. */
  #watch({ headers, body, signal }: Sending) {
    const patience = this.#patience
    if (patience === undefined) return { headers, body, signal, isLate: () => false, end: () => {} }
    const late = new AbortController()
    const begin = () => patience.clock.schedule(patience.answerMs, () => late.abort())
    let cancel = begin()
    const touch = (): void => {
      cancel()
      cancel = begin()
    }
    return {
      headers,
      body: body === undefined || body instanceof Uint8Array ? body : watched(body, touch),
      signal: AbortSignal.any([late.signal, ...(signal ? [signal] : [])]),
      isLate: () => late.signal.aborted,
      end: () => cancel(),
    }
  }
}

/** Who has not answered by then is as good as cut off. */
class LateError extends Error {
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('no answer in time')
  }
}

async function* watched(chunks: AsyncIterable<Uint8Array>, touch: () => void): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    touch()
    yield chunk
  }
  touch()
}

function headerOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function parseObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {} // an empty answer, or a page of somebody's proxy: the status says enough
  }
}
