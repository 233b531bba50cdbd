import type { IncomingMessage } from 'node:http'
import type { Bmc } from '../../bmc/bmc.ts'
import type { Task } from '../../bmc/state.ts'
import type { UpdateRules } from '../../bmc/update-rules.ts'
import { sendAccepted } from '../../http/accepted.ts'
import { actorOf, type EndpointHandler } from '../../http/context.ts'
import { askForBody } from '../../http/expect-continue.ts'
import { readContentDigests, watchContentDigests } from '../../http/content-digest.ts'
import { notFound } from '../../http/errors.ts'
import type { Endpoint } from '../../http/mount.ts'
import { type Spool, SpoolBusyError, type SpoolEntry, SpoolFullError } from '../../image/spool/spool.ts'
import { Place, type Turns } from '../../lib/turns.ts'
import { busy, RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import type { Order, Updates } from '../../update/updates.ts'
import { requireEnabled } from './enabled.ts'
import type { UpdateMethod } from './methods.ts'
import { BUSY_RETRY_S, started } from './started.ts'
import { mistaken, type Receive, type Upload, type UploadLimits } from './upload.ts'
import type { Uploads } from './uploads.ts'

/** Headers that a task's Payload repeats; whatever else came may be nobody's business. */
const payloadHeaders = ['Host', 'User-Agent', 'Accept', 'Content-Type', 'Content-Length', 'Transfer-Encoding']

/** A way to push an image in the body of a POST. */
export interface PushMethod {
  readonly name: Exclude<UpdateMethod, 'simple'>
  /** Where it is on machines with these rules. */
  readonly uri: (rules: UpdateRules) => string
  /** What a body must be; anything where absent. */
  readonly mediaType?: RegExp
  /** What a body may hold beside the image. */
  readonly overheadBytes: number
  /** How many such uploads a BMC takes at once. */
  readonly maxParallel: (bmc: Bmc) => number
  readonly receive: Receive
}

export interface PushOptions extends Omit<UploadLimits, 'spooled' | 'rawRules' | 'place'> {
  readonly spool: Spool
  /** Of all images that come, on any BMC: more at once would take each longer, and memory and disk more. */
  readonly arrivals: Turns
  readonly updates: Updates
  /** Shared by all ways to push. */
  readonly uploads: Uploads
}

/** The URI of a way to push: the image is received, then its update is started and answered by a task. */
export function pushEndpoint(path: string, methods: readonly PushMethod[], options: PushOptions): Endpoint {
  const methodOf = ({ machine }: Bmc) => methods.find(({ uri }) => uri(machine.updateRules) === path)
  const push: EndpointHandler = async (request, reply, { bmc }) => {
    const { raw } = request
    const method = methodOf(bmc)
    if (method === undefined) throw notFound(path)
    judgeHead(raw, bmc, method, options.maxImageBytes)
    const announced = readContentDigests(raw)
    if (!announced.ok) throw new RedfishError(400, message('Base.HeaderInvalid', announced.problem))
    // Known before there is anything to lose: once an image is here, nothing may come between it and its end.
    const payload = { targetUri: path, httpHeaders: shownHeaders(raw) }
    const sender = { payload, actor: actorOf(request) }
    const leave = options.uploads.enter(bmc, method.name, method.maxParallel(bmc))
    if (leave === undefined) throw busy(BUSY_RETRY_S)
    const gone = new AbortController()
    // The answer's: a request closes when it has been read.
    reply.raw.once('close', () => gone.abort(new RedfishError(400, message('Base.UnrecognizedRequestBody'))))
    const place = new Place(options.arrivals, gone.signal)
    try {
      await place.take()
      const spooled = await reserve(raw, method, options.spool)
      const { rawRules } = bmc.machine
      const task = await discardUnless(spooled, async () => {
        askForBody(raw, reply.raw)
        const untrue = watchContentDigests(raw, announced.value)
        const upload = await method.receive(raw, bmc, { ...options, spooled, rawRules, place })
        return start(bmc, judged(upload, untrue), sender, options)
      })
      return sendAccepted(reply, task)
    } finally {
      place.leave()
      leave()
    }
  }
  return {
    path,
    exists: (bmc) => methodOf(bmc) !== undefined,
    privileges: { POST: [['ConfigureComponents']] },
    methods: { POST: push },
    holdsBody: true,
  }
}

/** What the headers alone prove wrong is refused before a byte of the body is read. */
function judgeHead(
  { headers }: IncomingMessage,
  bmc: Bmc,
  { mediaType, overheadBytes }: PushMethod,
  maxImageBytes: number,
): void {
  requireEnabled(bmc)
  if (mediaType?.test(headers['content-type'] ?? '') === false) {
    throw new RedfishError(415, message('Base.HeaderInvalid', 'Content-Type'))
  }
  // A digest, a signature and a limit would each have to say of which bytes they speak.
  if (!/^(identity)?$/i.test(headers['content-encoding'] ?? '')) {
    throw new RedfishError(415, message('Base.HeaderInvalid', 'Content-Encoding'))
  }
  if (Number(headers['content-length'] ?? 0) > maxImageBytes + overheadBytes) {
    throw new RedfishError(413, message('Base.PayloadTooLarge'))
  }
}

/** Whose request it is; its parameters come with the body. */
interface Sender {
  readonly payload: Omit<Order['payload'], 'jsonBody'>
  readonly actor: Order['actor']
}

/** A place for the image, before a byte of it is taken: room for as much as is sure to come, which is one byte at least. */
async function reserve(
  { headers }: IncomingMessage,
  { overheadBytes }: PushMethod,
  spool: Spool,
): Promise<SpoolEntry> {
  try {
    return await spool.create(Math.max(1, Number(headers['content-length'] ?? 0) - overheadBytes))
  } catch (error) {
    if (error instanceof SpoolFullError) throw new RedfishError(507, message('Base.InsufficientStorage'))
    if (error instanceof SpoolBusyError) throw busy(BUSY_RETRY_S)
    throw error
  }
}

/** What an update that does not start has received is of no use. */
async function discardUnless<T>(spooled: SpoolEntry, begins: () => Promise<T>): Promise<T> {
  try {
    return await begins()
  } catch (error) {
    await spooled.discard()
    throw error
  }
}

/** An upload with what its headers announced in vain; of a body that is wrong anyway, or was not read, that says nothing. */
function judged(upload: Upload, untrue: () => readonly string[]): Upload {
  if (upload.mistakes.length > 0) return upload
  const about = upload.image?.fileName ?? ''
  const mistakes = untrue().map((field) =>
    mistaken(message('Redflash.AnnouncedDigestMismatch', about, field)),
  )
  return { ...upload, mistakes }
}

/** Judges what came as a whole, and starts the update. */
function start(bmc: Bmc, upload: Upload, sender: Sender, { updates }: PushOptions): Task {
  const { image, parameters, mistakes } = upload
  if (image === undefined || parameters === undefined || mistakes.length > 0) {
    // The image's own trouble (too large, no room, too slow) says more than what else was wrong.
    const status = Math.max(...mistakes.map((mistake) => mistake.status))
    throw new RedfishError(
      status,
      mistakes.map((mistake) => mistake.message),
    )
  }
  const payload = { ...sender.payload, jsonBody: parameters.jsonBody }
  return started(updates.start(bmc, image, parameters.request, { payload, actor: sender.actor }))
}

function shownHeaders({ headers }: IncomingMessage): string[] {
  return payloadHeaders.flatMap((name) => {
    const value = headers[name.toLowerCase()]
    return typeof value === 'string' ? [`${name}: ${value}`] : []
  })
}
