import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Bmc } from '../../bmc/bmc.ts'
import { type Part, readParts } from '../../http/multipart.ts'
import { BodyError } from '../../http/pump.ts'
import { receiveImage, type ReceivedImage } from '../../image/receive.ts'
import { message } from '../../redfish/messages/message.ts'
import { parseParameters } from './parameters.ts'
import type { PushMethod } from './push.ts'
import { mistaken, refusal, type Upload, type UploadLimits, type UploadMistake } from './upload.ts'

const MAX_PARAMETERS_BYTES = 2 ** 20
/** What a body may hold beside the image: the other parts, and the boundaries between them. */
const OVERHEAD_BYTES = 2 * 2 ** 20

const malformed = message('Base.MissingOrMalformedPart')
const wording = { empty: message('Base.PropertyMissing', 'UpdateFile'), broken: malformed }

/** MultipartHttpPushUri: an image and its parameters in one request (DSP2062 §3.1.2). */
export const multipartPush: PushMethod = {
  name: 'multipart',
  uri: ({ pushUri }) => pushUri,
  mediaType: /^multipart\/form-data\b/i,
  overheadBytes: OVERHEAD_BYTES,
  maxParallel: ({ machine }) => machine.maxParallelUploads,
  receive: receiveParts,
}

/**
 * Receives the parts of a push in any order (UpdateService v1_17, MultipartHttpPushUri). A broken image ends it; any
 * other mistake is kept, so that one answer tells them all.
 */
async function receiveParts(request: IncomingMessage, bmc: Bmc, limits: UploadLimits): Promise<Upload> {
  let image: ReceivedImage | undefined
  let hasFile = false
  let text: string | undefined
  const mistakes: UploadMistake[] = []
  const bodyLimits = { ...limits, maxBodyBytes: limits.maxImageBytes + OVERHEAD_BYTES }
  try {
    for await (const part of readParts(request, bodyLimits)) {
      if (part.name === 'UpdateFile' && !hasFile) {
        hasFile = true
        const received = await receiveImage(part.body, { ...limits, fileName: part.fileName ?? 'UpdateFile' })
        if (received.ok) image = received.value
        // What interrupted the part is wrong with the whole body: the parser knows it.
        else if (received.problem.kind === 'interrupted') continue
        else mistakes.push(refusal(received.problem, wording))
        if (!received.ok && received.problem.kind !== 'empty') break
      } else if (part.name === 'UpdateParameters' && text === undefined) {
        text = await readText(part)
      } else {
        if (!part.name.startsWith('Oem')) mistakes.push(mistaken(malformed))
        await discard(part.body)
      }
    }
  } catch (error) {
    if (!(error instanceof BodyError)) throw error
    mistakes.push(refusal(error, wording))
  }
  if (mistakes.length === 0 && (image === undefined || text === undefined)) mistakes.push(mistaken(malformed))
  const parsed = text === undefined ? undefined : parseParameters(bmc, text)
  if (parsed?.ok === false) mistakes.push(...parsed.problem.map(mistaken))
  return { image, parameters: parsed?.ok === true ? parsed.value : undefined, mistakes }
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
