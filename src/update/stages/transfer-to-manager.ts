import { Readable } from 'node:stream'
import {
  type ReceivedImage,
  receiveImage,
  type ReceiveOptions,
  type ReceiveProblem,
} from '../../image/receive.ts'
import { type Spool, SpoolBusyError, type SpoolEntry, SpoolFullError } from '../../image/spool/spool.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail, type Result, succeed, unreachable } from '../../lib/result.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import { FetchError, type Fetcher, type FetchProblem, type FetchRequest } from '../../transfer/fetcher.ts'
import type { WorkHandle } from '../../tasks/work.ts'
import type { StageFailure } from './stage.ts'

/** Stage 1 is done at this PercentComplete. */
const TRANSFERRED = 20
/** How soon it may be tried again where only a file descriptor was missing. */
const RETRY_S = '5'

/** What a pull needs of its surroundings. */
export interface Intake {
  readonly clock: Clock
  readonly fetcher: Fetcher
  readonly spool: Spool
  readonly maxImageBytes: number
  /** A source that sends nothing for this long is given up. */
  readonly stallMs: number
}

/** Where an image comes from: with a push it came inside the request, and is whole when the task begins. */
export type ImageSource =
  | { readonly kind: 'here'; readonly image: ReceivedImage }
  | { readonly kind: 'remote'; readonly request: Omit<FetchRequest, 'signal'> }

/** Stage 1: the image comes to the manager. Rejects when the work is cancelled meanwhile. */
export async function transferToManager(
  source: ImageSource,
  work: WorkHandle,
  intake: Intake & Pick<ReceiveOptions, 'rawRules'>,
): Promise<Result<ReceivedImage, StageFailure>> {
  work.report({ messages: [message('Update.UpdateInProgress')] })
  if (source.kind === 'here') return succeed(source.image)
  const { uri } = source.request
  const opened = await intake.fetcher.open({ ...source.request, signal: work.signal })
  work.signal.throwIfAborted()
  if (!opened.ok) return fail(fetchFailure(uri, opened.problem))
  const { fileName, sizeBytes, body } = opened.value
  const place = await placeFor(sizeBytes, intake)
  if (!place.ok) {
    await body[Symbol.asyncIterator]().return?.()
    return place
  }
  let problem: FetchProblem | undefined
  const metered = meter(body, {
    total: sizeBytes,
    progress: (share) => work.report({ percent: share * TRANSFERRED }),
    failed: (one) => (problem = one),
  })
  const options = { ...intake, fileName, spooled: place.value }
  const received = await receiveImage(Readable.from(metered, { objectMode: false }), options)
  if (work.signal.aborted) {
    if (received.ok) await received.value.spooled.discard()
    work.signal.throwIfAborted()
  }
  if (!received.ok) return fail(problem ? fetchFailure(uri, problem) : receiveFailure(uri, received.problem))
  const { contents, spooled } = received.value
  if (contents.ok || contents.problem.kind !== 'unknown-format') return received
  await spooled.discard()
  return fail(noImage(uri))
}

/** A place for an image of this size, before a byte of it is taken. */
async function placeFor(
  sizeBytes: number | undefined,
  { spool, maxImageBytes }: Intake,
): Promise<Result<SpoolEntry, StageFailure>> {
  if (sizeBytes !== undefined && sizeBytes > maxImageBytes) return fail(tooLarge)
  try {
    return succeed(await spool.create(sizeBytes ?? 1))
  } catch (error) {
    if (error instanceof SpoolFullError) return fail(noSpace)
    if (error instanceof SpoolBusyError) return fail(noDescriptor)
    throw error
  }
}

interface Meter {
  readonly total: number | undefined
  readonly progress: (share: number) => void
  readonly failed: (problem: FetchProblem) => void
}

/** The bytes as they come, counted; why their source failed is kept beside the stream. */
async function* meter(
  body: AsyncIterable<Uint8Array>,
  { total, progress, failed }: Meter,
): AsyncIterable<Uint8Array> {
  let sizeBytes = 0
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.byteLength
      if (total !== undefined && total > 0) progress(Math.min(1, sizeBytes / total))
      yield chunk
    }
  } catch (error) {
    if (error instanceof FetchError) failed(error.problem)
    throw error
  }
}

/** What a task tells of a source that gave no image, and what its monitor answers. */
function fetchFailure(uri: URL, problem: FetchProblem): StageFailure {
  if (problem.kind === 'exhausted') return noDescriptor
  return { messages: fetchMessages(uri, problem), status: 400 }
}

function fetchMessages(uri: URL, problem: Exclude<FetchProblem, { kind: 'exhausted' }>): Message[] {
  const shown = shownUri(uri)
  const noConnection = message('Base.CouldNotEstablishConnection', shown)
  const port = Number(uri.port) || (wellKnownPorts[uri.protocol] ?? 0)
  switch (problem.kind) {
    case 'missing':
      return [message('Base.ResourceMissingAtURI', shown)]
    case 'unauthorized':
      return [message('Base.ResourceAtUriUnauthorized', shown, problem.detail)]
    case 'address-refused':
      return [message('Base.AccessDenied', shown)]
    case 'name-not-resolved':
      return [noConnection, message('ServiceCommunications.NameResolutionFailure', problem.host)]
    case 'no-connection':
      return [noConnection, message('ServiceCommunications.ConnectionRefused', uri.hostname, port)]
    case 'untrusted':
      return [noConnection]
    case 'wrong-protocol':
    case 'unsupported':
      return [message('Base.SourceDoesNotSupportProtocol', shown, uri.protocol.slice(0, -1).toUpperCase())]
    case 'timeout':
      return [noConnection, message('ServiceCommunications.ConnectionTimeout', uri.hostname, port)]
    case 'http-failure':
      return [noConnection, message('ServiceCommunications.HTTPFailure', problem.code, uri.hostname)]
    case 'interrupted':
      return [message('Update.TransferFailed', shown, uris.updateService)]
    default:
      return unreachable(problem)
  }
}

const tooLarge: StageFailure = { status: 413, messages: [message('Base.PayloadTooLarge')] }
const noSpace: StageFailure = { status: 507, messages: [message('Base.InsufficientStorage')] }
const noDescriptor: StageFailure = {
  status: 503,
  messages: [message('Base.ServiceTemporarilyUnavailable', RETRY_S)],
}

function receiveFailure(uri: URL, problem: ReceiveProblem): StageFailure {
  switch (problem.kind) {
    case 'too-large':
      return tooLarge
    case 'no-space':
      return noSpace
    case 'empty':
      return noImage(uri)
    case 'interrupted':
      return fetchFailure(uri, { kind: 'interrupted', detail: '' })
    case 'stalled':
      return fetchFailure(uri, { kind: 'timeout' })
    default:
      return unreachable(problem)
  }
}

/** What came is nothing that any format here knows. */
function noImage(uri: URL): StageFailure {
  return { status: 400, messages: [message('Base.ResourceAtUriInUnknownFormat', shownUri(uri))] }
}

const wellKnownPorts: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'ftp:': 21,
  'ftps:': 21,
  'sftp:': 22,
  'scp:': 22,
  'tftp:': 69,
  'nfs:': 2049,
  'nsf:': 2049,
  'cifs:': 445,
  'smb:': 445,
}

/** A URI as it may be shown: without name and password, and without what follows the path, which may hold a token. */
export function shownUri(uri: URL): string {
  const shown = new URL(uri)
  shown.username = ''
  shown.password = ''
  shown.search = ''
  shown.hash = ''
  return shown.href
}
