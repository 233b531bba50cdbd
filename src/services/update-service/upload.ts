import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { MultipartError, type Part, readParts } from '../../http/multipart.ts'
import {
  receiveImage,
  type ReceivedImage,
  type ReceiveOptions,
  type ReceiveProblem,
} from '../../image/receive.ts'
import { unreachable } from '../../lib/result.ts'
import { type Message, message } from '../../redfish/messages/message.ts'

const MAX_PARAMETERS_BYTES = 2 ** 20
/** What a body may hold beside the image: the other parts, and the boundaries between them. */
const OVERHEAD_BYTES = 2 * 2 ** 20

/** What came in one multipart request, mistakes and all. */
export interface Upload {
  readonly image: ReceivedImage | undefined
  readonly parameters: string | undefined
  readonly mistakes: readonly UploadMistake[]
}

interface UploadMistake {
  readonly status: number
  readonly message: Message
}

export type UploadLimits = Omit<ReceiveOptions, 'fileName'>

/** The largest body that can hold an image of the largest size. */
export function maxBodyBytes(maxImageBytes: number): number {
  return maxImageBytes + OVERHEAD_BYTES
}

/**
 * Receives the parts of a push in any order (UpdateService v1_17, MultipartHttpPushUri). A broken image ends it; any
 * other mistake is kept, so that one answer tells them all. An image that came is the caller's to discard.
 */
export async function receiveUpload(request: IncomingMessage, limits: UploadLimits): Promise<Upload> {
  let image: ReceivedImage | undefined
  let parameters: string | undefined
  const mistakes: UploadMistake[] = []
  const malformed = (): void => void mistakes.push(malformedPart())
  const bodyLimits = { ...limits, maxBodyBytes: maxBodyBytes(limits.maxImageBytes) }
  try {
    for await (const part of readParts(request, bodyLimits)) {
      if (part.name === 'UpdateFile' && image === undefined) {
        const received = await receiveImage(part.body, { ...limits, fileName: part.fileName ?? 'UpdateFile' })
        if (received.ok) image = received.value
        // What interrupted the part is wrong with the whole body: the parser knows it.
        else if (received.problem.kind === 'interrupted') continue
        else mistakes.push(refusal(received.problem))
        if (!received.ok && received.problem.kind !== 'empty') break
      } else if (part.name === 'UpdateParameters' && parameters === undefined) {
        parameters = await readText(part)
      } else {
        if (!part.name.startsWith('Oem')) malformed()
        await discard(part.body)
      }
    }
  } catch (error) {
    if (!(error instanceof MultipartError)) {
      await image?.spooled.discard()
      throw error
    }
    mistakes.push(bodyRefusal(error))
  }
  if (mistakes.length === 0 && (image === undefined || parameters === undefined)) malformed()
  return { image, parameters, mistakes }
}

function malformedPart(): UploadMistake {
  return { status: 400, message: message('Base.MissingOrMalformedPart') }
}

function bodyRefusal({ kind }: MultipartError): UploadMistake {
  return kind === 'malformed' ? malformedPart() : refusal(kind === 'stalled' ? { kind } : { kind, limit: 0 })
}

function refusal(problem: ReceiveProblem): UploadMistake {
  switch (problem.kind) {
    case 'too-large':
      return { status: 413, message: message('Base.PayloadTooLarge') }
    case 'empty':
      return { status: 400, message: message('Base.PropertyMissing', 'UpdateFile') }
    case 'interrupted':
      return malformedPart()
    case 'stalled':
      return { status: 408, message: message('Base.OperationTimeout') }
    case 'no-space':
      return { status: 507, message: message('Base.InsufficientStorage') }
    default:
      return unreachable(problem)
  }
}

/** A small part as text; one that is too long is no text at all, which its reader will refuse. */
async function readText({ body }: Part): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of body) {
      sizeBytes += (chunk as Uint8Array).byteLength
      if (sizeBytes <= MAX_PARAMETERS_BYTES) chunks.push(chunk as Uint8Array)
    }
  } catch {
    return undefined // the part ended early: the parser tells the same of the whole body
  }
  return sizeBytes <= MAX_PARAMETERS_BYTES ? Buffer.concat(chunks).toString('utf8') : ''
}

async function discard(body: Readable): Promise<void> {
  try {
    for await (const _ of body);
  } catch {
    // as above
  }
}
