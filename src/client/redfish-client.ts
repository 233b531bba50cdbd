import { Agent, request } from 'undici'
import { isObject, type JsonObject } from '../redfish/resource.ts'

export interface ClientOptions {
  readonly user: string
  readonly password: string
  /** Accept any certificate: most BMCs have made their own. */
  readonly insecure: boolean
}

export interface ClientAnswer {
  readonly status: number
  readonly location: string | undefined
  /** Seconds. */
  readonly retryAfterS: number | undefined
  readonly body: JsonObject
}

/** A body that is sent as it is produced, of known length. */
export interface StreamedBody {
  readonly contentType: string
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Uint8Array>
}

/** Talks to any Redfish service, by HTTP Basic, which needs no session to survive a reset. */
export class RedfishClient {
  readonly #origin: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #agent: Agent

  /** Credentials in the URL win over those in the options. */
  constructor(url: string, { user, password, insecure }: ClientOptions) {
    const { origin, username: urlUser, password: urlPassword } = new URL(url)
    const [name, secret] =
      urlUser === '' ? [user, password] : [decodeURIComponent(urlUser), decodeURIComponent(urlPassword)]
    this.#origin = origin
    this.#headers = {
      'OData-Version': '4.0',
      Accept: 'application/json',
      Authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`,
    }
    // A service may take as long as it likes to judge an image of gigabytes before it answers.
    this.#agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { rejectUnauthorized: !insecure } })
  }

  get(path: string): Promise<ClientAnswer> {
    return this.#send('GET', path)
  }

  post(path: string, body: JsonObject): Promise<ClientAnswer> {
    const text = Buffer.from(JSON.stringify(body))
    return this.#send('POST', path, { 'Content-Type': 'application/json' }, text)
  }

  upload(path: string, { contentType, sizeBytes, chunks }: StreamedBody): Promise<ClientAnswer> {
    const headers = { 'Content-Type': contentType, 'Content-Length': String(sizeBytes) }
    return this.#send('POST', path, headers, chunks)
  }

  close(): Promise<void> {
    return this.#agent.close()
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body?: Uint8Array | AsyncIterable<Uint8Array>,
  ): Promise<ClientAnswer> {
    const answer = await request(new URL(path, this.#origin), {
      method,
      headers: { ...this.#headers, ...headers },
      body: body === undefined ? null : (body as Uint8Array), // undici takes iterables, its types only some
      dispatcher: this.#agent,
    })
    const retryAfter = Number(answer.headers['retry-after'] ?? NaN)
    return {
      status: answer.statusCode,
      location: typeof answer.headers['location'] === 'string' ? answer.headers['location'] : undefined,
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : undefined,
      body: parseObject(await answer.body.text()),
    }
  }
}

function parseObject(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {} // an empty answer, or a page of somebody's proxy: the status says enough
  }
}
