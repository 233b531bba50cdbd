import type { Clock } from '../lib/clock.ts'
import type { Result } from '../lib/result.ts'
import { FetchError, type FetchProblem } from './fetcher.ts'
import { type Answer, type Headers, textOf } from './http-visit.ts'
import { interrupted } from './source.ts'

/** How often an image that was interrupted is asked for again, and how long after: twice as long each time. */
const MAX_RESUMES = 5
const BACKOFF_MS = 1_000
/** What may be over when the image is asked for again. */
const passing = new Set<FetchProblem['kind']>([
  'name-not-resolved',
  'no-connection',
  'wrong-protocol', // a server on its way down hangs up without a word
  'timeout',
  'exhausted',
  'interrupted',
])

export interface Download {
  readonly first: Answer
  readonly ask: (headers: Headers) => Promise<Result<Answer, FetchProblem>>
  /** Whether more came than the answer was to hold. */
  readonly heldExcess: () => boolean
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What tells whether the rest of an image is the rest of the same. */
interface Validator {
  readonly field: 'etag' | 'last-modified'
  readonly value: string
}

interface Progress {
  readonly validator: Validator | undefined
  sizeBytes: number | undefined
  receivedBytes: number
  resumes: number
}

/** The bytes of an image, over as many connections as it takes. */
export async function* download(source: Download): AsyncGenerator<Uint8Array> {
  const { first, heldExcess, signal } = source
  const progress: Progress = {
    validator: validatorOf(first),
    sizeBytes: lengthOf(first),
    receivedBytes: 0,
    resumes: 0,
  }
  let failure = yield* bytesOf(first, progress, signal)
  while (!isWhole(progress, failure)) {
    const rest = await resume(source, progress, failure ?? 'less than announced')
    failure = yield* bytesOf(rest, progress, signal)
  }
  const { sizeBytes = Infinity, receivedBytes } = progress
  if (receivedBytes > sizeBytes || heldExcess()) throw interrupted('more than announced')
}

/** How many bytes an answer says that it has. */
export function lengthOf({ headers }: Answer): number | undefined {
  const length = textOf(headers['content-length'])
  return length === undefined ? undefined : Number(length)
}

/** The bytes of one answer; it ends with what was wrong, if anything was. */
async function* bytesOf(
  { body }: Answer,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, string | undefined> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      progress.receivedBytes += chunk.byteLength
      yield chunk
    }
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error.message : String(error)
  }
}

function isWhole({ sizeBytes, receivedBytes }: Progress, failure: string | undefined): boolean {
  return sizeBytes === undefined ? failure === undefined : receivedBytes >= sizeBytes
}

/** Asks for what has not come (RFC 9110 §14.2), until it comes, or never will. */
async function resume({ ask, clock, signal }: Download, progress: Progress, why: string): Promise<Answer> {
  const { validator, receivedBytes } = progress
  if (validator === undefined) throw interrupted(why)
  while (progress.resumes < MAX_RESUMES) {
    await clock.sleep(BACKOFF_MS * 2 ** progress.resumes++, signal)
    const answered = await ask({ range: `bytes=${receivedBytes}-`, 'if-range': validator.value })
    if (answered.ok) return continued(answered.value, progress, validator)
    const { problem } = answered
    const isPassing = passing.has(problem.kind) || (problem.kind === 'http-failure' && problem.code >= 500)
    if (!isPassing) throw new FetchError(problem)
  }
  throw interrupted(why)
}

/** An answer that goes on where the last one ended. */
function continued(answer: Answer, progress: Progress, { field, value }: Validator): Answer {
  const { statusCode, headers } = answer
  if (statusCode !== 206) throw interrupted('the image has changed, or cannot be resumed')
  if ((textOf(headers[field]) ?? value) !== value) throw interrupted('the image has changed')
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(textOf(headers['content-range']) ?? '') ?? []
  const sizeBytes = total === '*' ? progress.sizeBytes : Number(total)
  const isRest = Number(start) === progress.receivedBytes && (progress.sizeBytes ?? sizeBytes) === sizeBytes
  if (!isRest) throw interrupted('another part than was asked for')
  progress.sizeBytes = sizeBytes
  return answer
}

/** RFC 9110 §13.1.5: a weak ETag does not tell that bytes are the same. */
function validatorOf({ headers }: Answer): Validator | undefined {
  if (textOf(headers['accept-ranges'])?.toLowerCase() === 'none') return undefined
  const etag = textOf(headers['etag'])
  if (etag?.startsWith('"') === true) return { field: 'etag', value: etag }
  const modified = textOf(headers['last-modified'])
  return modified === undefined ? undefined : { field: 'last-modified', value: modified }
}
