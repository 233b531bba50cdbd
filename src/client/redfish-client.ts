import type { JsonObject } from '../redfish/resource.ts'
import { type ClientAnswer, type Sending, Transport, type TransportOptions } from './transport.ts'

export type { ClientAnswer } from './transport.ts'

export interface ClientOptions extends TransportOptions {
  readonly user: string
  readonly password: string
  /** Ends whatever it is at. */
  readonly signal?: AbortSignal
}

/** A body that is sent as it is produced, of known length; `chunks` begins anew where it may have to be sent again. */
export interface StreamedBody {
  readonly contentType: string
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Uint8Array>
}

interface Session {
  readonly token: string
  readonly uri: string | undefined
}

/** How long a service may take to begin or to end a session once nobody waits for it any more. */
const GOODBYE_MS = 2_000

/** Talks to any Redfish service: by HTTP Basic, which needs no session to survive a reset, unless a session was asked for. */
export class RedfishClient {
  readonly #transport: Transport
  readonly #options: ClientOptions
  readonly #basic: string
  readonly #login: JsonObject
  /** Where sessions are opened, once one is wanted. */
  #sessions: string | undefined
  #session: Session | undefined
  readonly #last: (readonly [path: string, body: JsonObject])[] = []

  /** Credentials in the URL win over those in the options. */
  constructor(url: string, options: ClientOptions) {
    const { user, password } = options
    const { origin, username: urlUser, password: urlPassword } = new URL(url)
    const [name, secret] =
      urlUser === '' ? [user, password] : [decodeURIComponent(urlUser), decodeURIComponent(urlPassword)]
    this.#transport = new Transport(origin, options)
    this.#options = options
    this.#basic = `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
    this.#login = { UserName: name, Password: secret }
  }

  get(path: string): Promise<ClientAnswer> {
    return this.#send('GET', path)
  }

  /** A GET of what DSP0266 lets everybody read: no credentials are sent. */
  getOpen(path: string): Promise<ClientAnswer> {
    return this.#transport.send('GET', path, { signal: this.#options.signal })
  }

  post(path: string, body: JsonObject): Promise<ClientAnswer> {
    return this.#send('POST', path, json(body))
  }

  patch(path: string, body: JsonObject, etag?: string): Promise<ClientAnswer> {
    return this.#send('PATCH', path, json(body, etag === undefined ? {} : { 'If-Match': etag }))
  }

  /** A PATCH that is sent at the end, whatever that comes of. */
  patchAtEnd(path: string, body: JsonObject): void {
    this.#last.push([path, body])
  }

  delete(path: string): Promise<ClientAnswer> {
    return this.#send('DELETE', path)
  }

  upload(path: string, { contentType, sizeBytes, chunks }: StreamedBody): Promise<ClientAnswer> {
    const headers = { 'Content-Type': contentType, 'Content-Length': String(sizeBytes) }
    return this.#send('POST', path, { headers, body: chunks })
  }

  /** Uses a session from now on, and opens another when that is lost; else the answer that refused it, and Basic as before. */
  async logIn(sessions: string): Promise<ClientAnswer | undefined> {
    const refused = await this.#open(sessions)
    if (refused === undefined) this.#sessions = sessions
    return refused
  }

  /** Ends its session, where there is one, and its connections. */
  async close(): Promise<void> {
    const { uri } = this.#session ?? {}
    const soon = this.#soon()
    try {
      for (const [path, body] of this.#last) await this.#sendOnce('PATCH', path, json(body), soon.signal)
      if (uri !== undefined) await this.#sendOnce('DELETE', uri, {}, soon.signal)
    } catch {
      // Away, or gone with a reset: sessions that nobody uses end by themselves.
    } finally {
      this.#session = undefined
      soon.end()
      await this.#transport.close()
    }
  }

  async #send(method: string, path: string, sending: Sending = {}): Promise<ClientAnswer> {
    const sessions = this.#sessions
    if (sessions !== undefined && this.#session === undefined) {
      const refused = await this.#open(sessions)
      if (refused !== undefined) return refused
    }
    const answer = await this.#sendOnce(method, path, sending)
    if (answer.status !== 401 || sessions === undefined) return answer
    // The session is no more, as after a reset of the manager.
    this.#session = undefined
    return (await this.#open(sessions)) ?? (await this.#sendOnce(method, path, sending))
  }

  #sendOnce(
    method: string,
    path: string,
    { headers, body }: Sending,
    signal = this.#options.signal,
  ): Promise<ClientAnswer> {
    const authorization = this.#session
      ? { 'X-Auth-Token': this.#session.token }
      : { Authorization: this.#basic }
    return this.#transport.send(method, path, {
      headers: { ...authorization, ...headers },
      body,
      signal,
    })
  }

  /** Opens a session, or tells why there is none. It is not cut off: a session that nobody knows of could not be ended. */
  async #open(sessions: string): Promise<ClientAnswer | undefined> {
    const { signal } = this.#options
    signal?.throwIfAborted()
    const soon = this.#soon(signal)
    try {
      const answer = await this.#transport.send('POST', sessions, {
        ...json(this.#login),
        signal: soon.signal,
      })
      const { status, token, location, body } = answer
      if (status >= 300 || token === undefined) return answer
      const id = body['@odata.id']
      this.#session = { token, uri: location ?? (typeof id === 'string' ? id : undefined) }
    } finally {
      soon.end()
      signal?.throwIfAborted()
    }
    return undefined
  }

  /** Aborted a while after the signal is, or a while from now. */
  #soon(after?: AbortSignal): { readonly signal: AbortSignal | undefined; readonly end: () => void } {
    const clock = this.#options.patience?.clock
    if (clock === undefined) return { signal: after, end: () => {} }
    const late = new AbortController()
    let cancel = (): void => {}
    const begin = (): void => {
      cancel = clock.schedule(GOODBYE_MS, () => late.abort(new Error('no answer in time')))
    }
    if (after === undefined) begin()
    after?.addEventListener('abort', begin, { once: true })
    const end = (): void => {
      cancel()
      after?.removeEventListener('abort', begin)
    }
    return { signal: late.signal, end }
  }
}

function json(body: JsonObject, headers: Readonly<Record<string, string>> = {}): Sending {
  return {
    headers: { 'Content-Type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(body)),
  }
}
