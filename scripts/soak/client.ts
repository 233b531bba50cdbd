import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http'
import { Agent as SecureAgent, request as sendSecurely } from 'node:https'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/** On a busy machine all takes its time; what hangs is found even so. */
const PATIENCE_MS = 120_000
const POLL_MS = 20
const AUTHORIZATION = `Basic ${Buffer.from('admin:redflash').toString('base64')}`

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly headers?: Readonly<Record<string, string | number>>
  /** Anything but bytes is sent as JSON. */
  readonly body?: object | Buffer
}

export interface Answer {
  readonly status: number
  readonly location: string
  readonly headers: IncomingMessage['headers']
  readonly json: Readonly<Record<string, unknown>>
}

/** An administrator of one BMC, whose connections are kept. */
export class Client {
  readonly url: string
  /** Where the same BMC is reached by HTTPS. */
  readonly httpsUrl: string
  readonly #agent: Agent

  /** Of all the URLs of a BMC, the first one without TLS is asked; else, the first. */
  constructor(urls: readonly string[]) {
    this.httpsUrl = urls.find(isSecure) ?? ''
    this.url = urls.find((url) => !isSecure(url)) ?? this.httpsUrl
    this.#agent = isSecure(this.url)
      ? new SecureAgent({ keepAlive: true, rejectUnauthorized: false })
      : new Agent({ keepAlive: true })
  }

  /** Expects one of these statuses. */
  async ask(path: string, expected: number | readonly number[], asked: Asked = {}): Promise<Answer> {
    const { method = 'GET', body } = asked
    const isBytes = Buffer.isBuffer(body)
    const bytes = body === undefined || isBytes ? body : Buffer.from(JSON.stringify(body))
    const sent = this.begin(path, {
      ...asked,
      headers: {
        ...(bytes && { 'Content-Length': bytes.byteLength }),
        ...(bytes && !isBytes && { 'Content-Type': 'application/json' }),
        ...asked.headers,
      },
    })
    sent.end(bytes)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const said = await text(answer)
    const { statusCode: status = 0, headers } = answer
    if (![expected].flat().includes(status))
      throw new Error(`${method} ${path} is answered ${status}: ${said}`)
    const json = said.startsWith('{') ? (JSON.parse(said) as Answer['json']) : {}
    return { status, location: headers.location ?? '', headers, json }
  }

  /** A request whose body is still to come. */
  begin(path: string, { method = 'GET', headers = {} }: Asked): ClientRequest {
    const send = isSecure(this.url) ? sendSecurely : sendRequest
    return send(this.url + path, {
      method,
      agent: this.#agent,
      headers: { Authorization: AUTHORIZATION, ...headers },
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
  }

  /** Resolves when a question has this answer. */
  async until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await isTrue())) {
      if (performance.now() > deadline) throw new Error(`${this.url}: ${what} did not come`)
      await sleep(POLL_MS)
    }
  }

  close(): void {
    this.#agent.destroy()
  }
}

function isSecure(url: string): boolean {
  return url.startsWith('https:')
}
