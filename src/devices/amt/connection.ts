import { Agent, type Dispatcher } from 'undici'
import { Bounded } from '../../lib/bounded.ts'
import type { Clock } from '../../lib/clock.ts'
import { authorizationFor, type Challenge, isStale, parseChallenges } from '../../lib/http-authorization.ts'
import type { Xml } from '../../redfish/xml.ts'
import type { DeviceAddress } from '../device.ts'
import { DeviceError } from '../device-error.ts'
import { CONTENT_TYPE, PATH } from './wsman.ts'
import { elementAt, readXml, textAt } from './xml-reader.ts'

export interface ConnectionOptions {
  readonly clock: Clock
  /**
   * Who must have signed a device's certificate, or the certificates themselves (PEM): whoever shows another is
   * `untrusted`. Unless given, any certificate is accepted, because most devices have made their own.
   */
  readonly trustedCertificates?: readonly string[] | undefined
  /** An answer that has not come by then does not come. */
  readonly answerMs: number
}

/** Sends a message of WS-Management to a device: the Body of its answer. Rejects with what `problemOf` understands. */
export type Send = (device: DeviceAddress, document: string, signal: AbortSignal) => Promise<Xml>

/** What a device asked for last, and how often its nonce has been used. */
interface Session {
  readonly challenges: readonly Challenge[]
  count: number
}

const PORT = '16992'
const TLS_PORT = '16993'
const MAX_ANSWER_BYTES = 2 ** 20
const IDLE_MS = 200
const MAX_SESSIONS = 10_000
/** The first request, one with credentials, and one more when the device's nonce was too old. */
const MAX_TRIES = 3

/** Connections to devices, with HTTP Digest; one a device, because its nonces are counted. */
export class Connections {
  readonly #clock: Clock
  readonly #answerMs: number
  readonly #agent: Agent
  readonly #sessions = new Bounded<string, Session>(MAX_SESSIONS)

  constructor({ clock, trustedCertificates, answerMs }: ConnectionOptions) {
    this.#clock = clock
    this.#answerMs = answerMs
    this.#agent = new Agent({
      connections: 1,
      // A device has few places: what is asked at once goes by one connection, and leaves.
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      connect: {
        rejectUnauthorized: trustedCertificates !== undefined,
        ...(trustedCertificates && { ca: [...trustedCertificates], allowPartialTrustChain: true }),
        timeout: 0,
      },
      // The clock ends what takes too long.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** Sends a message of WS-Management: the Body of its answer. Rejects with what `problemOf` understands. */
  readonly send: Send = async (device, document, signal) => {
    const { status, text } = await this.#clock.io(this.#ask(device, document, signal))
    const body = elementAt(readXml(text), 'Body')
    const fault = elementAt(body, 'Fault')
    if (fault !== undefined) {
      const subcode = textAt(fault, 'Code', 'Subcode', 'Value')?.replace(/^.*:/, '') ?? 'Fault'
      throw new DeviceError({ kind: 'failed', detail: `it answers ${subcode}` })
    }
    if (status === 503) throw new DeviceError({ kind: 'busy', detail: 'it answers 503' })
    if (body === undefined)
      throw new DeviceError({ kind: 'unsupported', detail: `it answers ${status}, and no WS-Management` })
    if (status !== 200) throw new DeviceError({ kind: 'failed', detail: `it answers ${status}` })
    return body
  }

  close(): Promise<void> {
    return this.#agent.destroy()
  }

  async #ask(device: DeviceAddress, document: string, signal: AbortSignal): Promise<Posted> {
    const origin = originOf(device.hostName)
    for (let tries = 1; ; tries++) {
      const authorization = this.#authorizationFor(origin, device)
      const answer = await this.#post(origin, document, { authorization, signal })
      if (answer.status !== 401) return answer
      // The password itself is sent to nobody: Basic is no way for us.
      const challenges = parseChallenges(answer.headers['www-authenticate']).filter(
        ({ scheme }) => scheme === 'digest',
      )
      this.#sessions.set(origin, { challenges, count: 0 })
      // What was refused at first was perhaps proven with a nonce that nobody remembers.
      const isRefused = tries > 1 && !isStale(challenges)
      if (isRefused || challenges.length === 0 || tries === MAX_TRIES)
        throw new DeviceError({ kind: 'unauthorized', detail: 'it refuses the user name or the password' })
    }
  }

  /** Who we are, told with the nonce that the device gave last. */
  #authorizationFor(origin: string, { userName: username, password }: DeviceAddress): string | undefined {
    const session = this.#sessions.get(origin)
    if (session === undefined) return undefined
    const asked = { method: 'POST', target: PATH, count: ++session.count }
    return authorizationFor(session.challenges, { username, password }, asked)
  }

  async #post(origin: string, body: string, { authorization, signal }: Asking): Promise<Posted> {
    const late = new AbortController()
    const cancel = this.#clock.schedule(this.#answerMs, () => late.abort(new Error('late')))
    try {
      const answer = await this.#agent.request({
        origin,
        path: PATH,
        method: 'POST',
        headers: { 'content-type': CONTENT_TYPE, ...(authorization !== undefined && { authorization }) },
        body,
        signal: AbortSignal.any([signal, late.signal]),
      })
      return { status: answer.statusCode, headers: answer.headers, text: await textOf(answer.body) }
    } catch (error) {
      signal.throwIfAborted()
      if (!late.signal.aborted) throw error
      const detail = `no answer within ${this.#answerMs / 1_000} seconds`
      throw new DeviceError({ kind: 'unreachable', detail })
    } finally {
      cancel()
    }
  }
}

interface Asking {
  readonly authorization: string | undefined
  readonly signal: AbortSignal
}

interface Posted {
  readonly status: number
  readonly headers: Dispatcher.ResponseData['headers']
  readonly text: string
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > MAX_ANSWER_BYTES)
      throw new DeviceError({ kind: 'unsupported', detail: 'its answer has no end' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** By HTTPS unless its scheme, or the port, is that of HTTP; at the port of Intel AMT unless another is given. */
export function originOf(hostName: string): string {
  const [, scheme = '', authority = ''] = /^(https?:\/\/)?([^/]*)/i.exec(hostName) ?? []
  const isBareV6 = /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(authority)
  const host = isBareV6 ? `[${authority}]` : authority
  const port = /:(\d+)$/.exec(host.replace(/^\[.*\]/, ''))?.[1]
  const isPlain = scheme === '' ? port === PORT : /^http:/i.test(scheme)
  const ownPort = isPlain ? PORT : TLS_PORT
  const text = `${isPlain ? 'http' : 'https'}://${host}${port === undefined ? `:${ownPort}` : ''}`
  if (!URL.canParse(text)) throw new DeviceError({ kind: 'unreachable', detail: 'its address is none' })
  return new URL(text).origin
}
