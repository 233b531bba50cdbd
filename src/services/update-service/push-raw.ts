import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import type { Bmc } from '../../bmc/bmc.ts'
import { fileNameOf } from '../../http/content-disposition.ts'
import { type BodyError, pump } from '../../http/pump.ts'
import { receiveImage } from '../../image/receive.ts'
import { message } from '../../redfish/messages/message.ts'
import type { PushMethod } from './push.ts'
import { pushParameters } from './push-options.ts'
import { mistaken, refusal, type Upload, type UploadLimits, type UploadMistake } from './upload.ts'

const unreadable = message('Base.UnrecognizedRequestBody')
const wording = { empty: unreadable, broken: unreadable }

/**
 * HttpPushUri: the body is the image, whatever it calls itself (some clients say that it is a form, or nothing at all);
 * what to do with it is said beforehand, by the HttpPushUri properties of UpdateService (DSP2062 §3.1.3).
 */
export const rawPush: PushMethod = {
  name: 'raw',
  uri: ({ rawPushUri }) => rawPushUri,
  overheadBytes: 0,
  // All clients share one set of options.
  maxParallel: () => 1,
  receive: receiveBody,
}

async function receiveBody(request: IncomingMessage, bmc: Bmc, limits: UploadLimits): Promise<Upload> {
  let failure: BodyError | undefined
  const body = new PassThrough()
  // Who reads it learns of it; nobody else may end the process with it.
  body.on('error', () => {})
  const stop = pump(request, body, { ...limits, maxBodyBytes: limits.maxImageBytes }, (error) => {
    failure = error
    body.destroy(error)
  })
  body.once('close', stop)
  const fileName = fileNameOf(request.headers['content-disposition']) ?? 'HttpPushUri'
  const received = await receiveImage(body, { ...limits, fileName })
  const parsed = pushParameters(bmc)
  const mistakes: UploadMistake[] = [
    ...(received.ok ? [] : [refusal(failure ?? received.problem, wording)]),
    ...(parsed.ok ? [] : parsed.problem.map(mistaken)),
  ]
  return {
    image: received.ok ? received.value : undefined,
    parameters: parsed.ok ? parsed.value : undefined,
    mistakes,
  }
}
