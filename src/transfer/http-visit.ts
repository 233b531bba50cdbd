import { type Agent, type Dispatcher, errors } from 'undici'
import { fail, type Result, succeed } from '../lib/result.ts'
import { FetchError, type FetchProblem, type FetchRequest } from './fetcher.ts'
import { authorizationFor, type Credentials, isStale, parseChallenges } from '../lib/http-authorization.ts'

export type Answer = Dispatcher.ResponseData
export type Headers = Readonly<Record<string, string>>

const MAX_REDIRECTS = 5
/** What a server says beside its status is cut to this. */
const MAX_EXPLANATION_BYTES = 200
/** The first request, one with credentials, and one more when the server's nonce was too old. */
const MAX_TRIES = 3
const redirects = new Set([301, 302, 303, 307, 308])

/**
 * Asks for an image, wherever redirects lead: the answer with it (200, or 206 where `headers` ask for a range).
 * Credentials stay with the origin that they were given for, and are never sent before it asks.
 */
export async function visit(
  agent: Agent,
  request: FetchRequest,
  headers: Headers,
): Promise<Result<Answer, FetchProblem>> {
  let { uri } = request
  let credentials = credentialsOf(request)
  for (let hops = 0; ; hops++) {
    const asked = await ask(agent, { uri, headers, credentials, signal: request.signal })
    if (!asked.ok || !redirects.has(asked.value.statusCode)) {
      return asked.ok ? judge(asked.value, request.signal) : asked
    }
    const { statusCode, headers: told, body } = asked.value
    await body.dump()
    const location = textOf(told['location'])
    if (location === undefined || !URL.canParse(location, uri.href) || hops === MAX_REDIRECTS) {
      return fail({ kind: 'http-failure', code: statusCode })
    }
    const next = new URL(location, uri)
    const problem = refuseRedirect(uri, next, request)
    if (problem !== undefined) return fail(problem)
    // Gone for good: an origin that was left is not come back to by its own will.
    if (next.origin !== uri.origin) credentials = undefined
    uri = next
  }
}

/** The only value of a header field. */
export function textOf(field: string | readonly string[] | undefined): string | undefined {
  return typeof field === 'string' ? field : field?.[0]
}

interface Question {
  readonly uri: URL
  readonly headers: Headers
  readonly credentials: Credentials | undefined
  readonly signal: AbortSignal
}

/** One request, repeated with credentials when the server wants them. */
async function ask(
  agent: Agent,
  { uri, headers, credentials, signal }: Question,
): Promise<Result<Answer, FetchProblem>> {
  const target = `${uri.pathname}${uri.search}`
  let authorization: string | undefined
  for (let tries = 1; ; tries++) {
    const asked = await send(agent, uri, {
      path: target,
      method: 'GET',
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'redflash',
        ...headers,
        ...(authorization !== undefined && { authorization }),
      },
      signal,
    })
    if (!asked.ok || asked.value.statusCode !== 401 || credentials === undefined) return asked
    const challenges = parseChallenges(asked.value.headers['www-authenticate'])
    const isRefused = authorization !== undefined && !isStale(challenges)
    authorization = authorizationFor(challenges, credentials, { method: 'GET', target })
    if (isRefused || authorization === undefined || tries === MAX_TRIES) return asked
    await asked.value.body.dump()
  }
}

async function send(
  agent: Agent,
  { origin, protocol }: URL,
  options: Dispatcher.RequestOptions & { readonly signal: AbortSignal },
): Promise<Result<Answer, FetchProblem>> {
  try {
    return succeed(await agent.request({ ...options, origin }))
  } catch (error) {
    options.signal.throwIfAborted()
    const problem = error instanceof Error ? problemOf(error, protocol) : undefined
    if (problem === undefined) throw error
    return fail(problem)
  }
}

/** Why there was no answer; `undefined` when it is no fault of the server. */
function problemOf(error: Error, protocol: string): FetchProblem | undefined {
  if (error instanceof FetchError) return error.problem
  const code = 'code' in error ? String(error.code) : ''
  if (error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError) {
    return { kind: 'wrong-protocol' }
  }
  // A TLS server that is asked in plain text hangs up without a word.
  if (error instanceof errors.SocketError && protocol === 'http:') return { kind: 'wrong-protocol' }
  return code === '' ? undefined : { kind: 'interrupted', detail: error.message }
}

function refuseRedirect(from: URL, { protocol }: URL, { identity }: FetchRequest): FetchProblem | undefined {
  if (protocol !== 'http:' && protocol !== 'https:') return { kind: 'unsupported' }
  return from.protocol === 'https:' && protocol === 'http:' && identity.trustedCertificates !== undefined
    ? { kind: 'untrusted', detail: 'redirected to a server that cannot show a certificate' }
    : undefined
}

async function judge(answer: Answer, signal: AbortSignal): Promise<Result<Answer, FetchProblem>> {
  const { statusCode: code, body } = answer
  if (code === 200 || code === 206) return succeed(answer)
  if (code === 401 || code === 403 || code === 407) {
    return fail({ kind: 'unauthorized', detail: await explanationOf(answer, signal) })
  }
  await body.dump()
  return fail(code === 404 || code === 410 ? { kind: 'missing' } : { kind: 'http-failure', code })
}

/** The status line, and the beginning of what was said in plain text. */
async function explanationOf(
  { statusCode, statusText, headers, body }: Answer,
  signal: AbortSignal,
): Promise<string> {
  const status = `${statusCode} ${statusText}`.trim()
  const isText = textOf(headers['content-type'])?.startsWith('text/plain') === true
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      const text = Buffer.from(chunk.subarray(0, MAX_EXPLANATION_BYTES)).toString()
      return isText ? `${status}: ${text.replaceAll(/\p{Cc}+/gu, ' ').trim()}` : status
    }
  } catch {
    // Cut off: the status says enough.
    signal.throwIfAborted()
  }
  return status
}

function credentialsOf({ username, password }: FetchRequest): Credentials | undefined {
  return username === undefined ? undefined : { username, password: password ?? '' }
}
