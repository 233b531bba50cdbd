import type { FastifyRequest } from 'fastify'
import type { Bmc } from '../../bmc/bmc.ts'
import { actorOf, type EndpointHandler } from '../../http/context.ts'
import { sendAccepted } from '../../http/accepted.ts'
import { askForBody } from '../../http/expect-continue.ts'
import type { Endpoint } from '../../http/mount.ts'
import type { Spool } from '../../image/spool.ts'
import type { Clock } from '../../lib/clock.ts'
import { busy, RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import type { StartProblem, Updates } from '../../update/updates.ts'
import { parseParameters } from './parameters.ts'
import { maxBodyBytes, receiveUpload, type Upload } from './upload.ts'

const BUSY_RETRY_S = 5
/** Headers that a task's Payload repeats; whatever else came may be nobody's business. */
const payloadHeaders = ['Host', 'User-Agent', 'Accept', 'Content-Type', 'Content-Length', 'Transfer-Encoding']

export interface PushOptions {
  readonly clock: Clock
  readonly updates: Updates
  readonly spool: Spool
  readonly maxImageBytes: number
  /** An upload that stands still for this long is given up. */
  readonly stallMs: number
}

/** MultipartHttpPushUri: an image and its parameters in one request, answered by a task (DSP2062 §3.1.2). */
export function multipartPush(options: PushOptions): Endpoint {
  const receiving = new WeakMap<Bmc, number>()
  const push: EndpointHandler = async (request, reply, { bmc }) => {
    const running = receiving.get(bmc) ?? 0
    admit(request, bmc, options.maxImageBytes, running)
    receiving.set(bmc, running + 1)
    try {
      askForBody(request.raw, reply.raw)
      const upload = await receiveUpload(request.raw, options)
      return sendAccepted(reply, await start(request, bmc, upload, options.updates))
    } finally {
      receiving.set(bmc, (receiving.get(bmc) ?? 1) - 1)
    }
  }
  return {
    path: uris.multipartPush,
    privileges: { POST: [['ConfigureComponents']] },
    methods: { POST: push },
    holdsBody: true,
  }
}

/** What the headers alone prove wrong is refused before a byte of the body is read. */
function admit(request: FastifyRequest, bmc: Bmc, maxImageBytes: number, running: number): void {
  const { headers } = request
  if (!bmc.state.settings.updateServiceEnabled) {
    throw new RedfishError(503, message('Base.ServiceDisabled', uris.updateService))
  }
  if (!/^multipart\/form-data\b/i.test(headers['content-type'] ?? '')) {
    throw new RedfishError(415, message('Base.HeaderInvalid', 'Content-Type'))
  }
  if (Number(headers['content-length'] ?? 0) > maxBodyBytes(maxImageBytes)) {
    throw new RedfishError(413, message('Base.PayloadTooLarge'))
  }
  if (running >= bmc.machine.maxParallelUploads) throw busy(BUSY_RETRY_S)
}

/** Judges what came as a whole, and starts the update; an image that is not to be used is discarded. */
async function start(request: FastifyRequest, bmc: Bmc, upload: Upload, updates: Updates) {
  const { image, parameters } = upload
  const mistakes = [...upload.mistakes]
  const parsed = parameters === undefined ? undefined : parseParameters(bmc, parameters)
  if (parsed?.ok === false) mistakes.push(...parsed.problem.map((one) => ({ status: 400, message: one })))
  if (image !== undefined && parsed?.ok === true && mistakes.length === 0) {
    const payload = {
      targetUri: uris.multipartPush,
      httpHeaders: shownHeaders(request),
      jsonBody: parsed.value.jsonBody,
    }
    const started = updates.start(bmc, image, parsed.value.request, { payload, actor: actorOf(request) })
    if (started.ok) return started.value
    await image.spooled.discard()
    throw notNow(started.problem)
  }
  await image?.spooled.discard()
  // The image's own trouble (too large, no room, too slow) says more than what else was wrong.
  const status = Math.max(...mistakes.map((mistake) => mistake.status))
  throw new RedfishError(
    status,
    mistakes.map((mistake) => mistake.message),
  )
}

function notNow(problem: StartProblem): RedfishError {
  switch (problem.kind) {
    case 'targets-busy':
      return busy(BUSY_RETRY_S, message('Base.ResourceInUse'))
    case 'no-room':
      return busy(BUSY_RETRY_S, message('Base.ResourceExhaustion', uris.tasks))
  }
}

function shownHeaders({ headers }: FastifyRequest): string[] {
  return payloadHeaders.flatMap((name) => {
    const value = headers[name.toLowerCase()]
    return typeof value === 'string' ? [`${name}: ${value}`] : []
  })
}
