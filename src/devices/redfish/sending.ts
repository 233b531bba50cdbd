import { type Seen, seenIn } from '../../client/follow.ts'
import { pause } from '../../client/errand.ts'
import { readMessages } from '../../client/message-reading.ts'
import { multipartBody, type PushedImage } from '../../client/multipart.ts'
import type { ClientAnswer } from '../../client/redfish-client.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import { referencePath } from '../../redfish/uris.ts'
import type { FlashProblem } from '../flasher.ts'
import { type Connection, linkIn, textIn } from './connection.ts'
import { DeviceError } from '../device-error.ts'
import { answerProblem } from './problems.ts'
import { pushRaw } from './raw-push.ts'
import { read, readIfThere } from './reading.ts'
import type { ReadMessage } from '../../client/message-reading.ts'

/** An image for one piece of firmware. */
export interface Sending {
  readonly image: PushedImage
  /** The inventory item. */
  readonly target: string
  /** Where the device can fetch the image, once it is asked for; absent where nobody lets it. */
  readonly publish: (() => Promise<string>) | undefined
}

/** What a device has against an image, as it says it. */
export class RefusalError extends Error {
  readonly problem: FlashProblem | undefined
  readonly said: readonly ReadMessage[]
  readonly answer: ClientAnswer

  constructor(answer: ClientAnswer, problem?: FlashProblem) {
    super('the image was refused')
    this.answer = answer
    this.problem = problem
    this.said = readMessages(answer.body)
  }
}

/** What it says when it is too busy at the moment, beside 503. */
const busy = new Set(['ServiceTemporarilyUnavailable', 'ResourceInUse', 'ResourceExhaustion'])
/** The parameters that some services do without, in the order in which they are left out. */
const OPTIONAL = ['ForceUpdate', '@Redfish.OperationApplyTime', 'Targets'] as const
/** The minor version of UpdateService that brought ForceUpdate. */
const FORCE_SINCE = 11

/** Gives a device an image, in the best way that it offers; what its answer shows of the update. */
export async function sendImage(connection: Connection, sending: Sending): Promise<Seen> {
  const { clock, patience, errand, root } = connection
  const uri = linkIn(root, 'UpdateService')
  if (uri === undefined) throw unsupported('it has no UpdateService')
  for (const since = clock.now(); ;) {
    const service = await read(connection, uri)
    if (service['ServiceEnabled'] === false) throw unsupported('its UpdateService is disabled')
    const answer = await sendOnce(connection, service, sending)
    if (answer !== 'busy' && !isBusy(answer)) return accepted(answer, service)
    if (clock.now() - since >= patience.beginMs)
      throw answer === 'busy'
        ? new DeviceError({ kind: 'busy', detail: 'another client is at its HttpPushUri' })
        : new RefusalError(answer)
    await pause(errand, answer === 'busy' ? undefined : answer)
  }
}

/** Where images are given to a device. */
export async function pushUris(connection: Connection): Promise<ReadonlySet<string>> {
  const uri = linkIn(connection.root, 'UpdateService')
  const service = uri === undefined ? undefined : await readIfThere(connection, uri)
  if (service === undefined) return new Set()
  const simple = textIn(actionIn(service, 'SimpleUpdate'), 'target')
  const all = [textIn(service, 'MultipartHttpPushUri'), textIn(service, 'HttpPushUri'), simple]
  return new Set(all.flatMap((one) => (one === undefined ? [] : [referencePath(one)])))
}

async function sendOnce(
  connection: Connection,
  service: JsonObject,
  sending: Sending,
): Promise<ClientAnswer | 'busy'> {
  const { client } = connection
  const { image, target, publish } = sending
  const capacity = service['MaxImageSizeBytes']
  const pushUri = textIn(service, 'MultipartHttpPushUri')
  const rawUri = textIn(service, 'HttpPushUri')
  if ((pushUri ?? rawUri) !== undefined && typeof capacity === 'number' && image.sizeBytes > capacity)
    throw new RefusalError(nothing, { kind: 'too-large', capacityBytes: capacity })
  if (pushUri !== undefined) {
    const given = parametersFor(
      service,
      target,
      service['MultipartHttpPushUri@Redfish.OperationApplyTimeSupport'],
    )
    return lessAndLess(given, (parameters) => client.upload(pushUri, multipartBody(image, parameters)))
  }
  const action = actionIn(service, 'SimpleUpdate')
  const simpleUri = textIn(action, 'target')
  const isOnlyWay = simpleUri === undefined || publish === undefined
  // Some name one that they do not have, and hang up in the middle of the image. What is there answers 405.
  if (rawUri !== undefined && (isOnlyWay || (await client.get(rawUri)).status !== 404))
    return pushRaw(connection, { service, rawUri, target, image })
  if (simpleUri === undefined) throw unsupported('it offers no way to give it an image')
  if (publish === undefined) throw unsupported('it takes images only from where it can fetch them')
  const imageUri = await publish()
  const given = parametersFor(service, target, action?.['@Redfish.OperationApplyTimeSupport'])
  return lessAndLess(given, (parameters) => client.post(simpleUri, { ImageURI: imageUri, ...parameters }))
}

/**
 * What to do with the image: that item and no other, at once, and whatever runs there now, since whether an image is to be
 * written was decided by whoever sends it.
 */
function parametersFor(service: JsonObject, target: string, support: unknown): JsonObject {
  const times = isObject(support) ? support['SupportedValues'] : undefined
  const minor = Number(/\.v1_(\d+)_/.exec(textIn(service, '@odata.type') ?? '')?.[1] ?? 0)
  return {
    Targets: [target],
    ...(minor >= FORCE_SINCE && { ForceUpdate: true }),
    ...(Array.isArray(times) &&
      times.includes('Immediate') && { '@Redfish.OperationApplyTime': 'Immediate' }),
  }
}

/** Sends it again without what a service says it cannot do with: it then goes by its own rules, and by the image's. */
async function lessAndLess(
  given: JsonObject,
  send: (parameters: JsonObject) => Promise<ClientAnswer>,
): Promise<ClientAnswer> {
  let parameters = given
  for (;;) {
    const answer = await send(parameters)
    if (answer.status < 400 || answer.status > 499) return answer
    const wrong = OPTIONAL.find((name) => name in parameters && JSON.stringify(answer.body).includes(name))
    if (wrong === undefined) return answer
    parameters = Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== wrong))
  }
}

function isBusy({ status, body }: ClientAnswer): boolean {
  return status === 503 || (status >= 400 && readMessages(body).some(({ key }) => busy.has(key)))
}

function accepted(answer: ClientAnswer, service: JsonObject): Seen {
  const { status, location } = answer
  if (status === 401 || status === 403) throw new DeviceError(answerProblem('the image', answer))
  const capacity = service['MaxImageSizeBytes']
  if (status === 413 && typeof capacity === 'number')
    throw new RefusalError(answer, { kind: 'too-large', capacityBytes: capacity })
  if (status >= 300) throw new RefusalError(answer)
  const seen = seenIn(answer)
  // Some answer 201 or 204, and name the task all the same.
  return seen.state === undefined && location !== undefined ? { ...seen, isOver: false } : seen
}

function actionIn(service: JsonObject, name: string): JsonObject | undefined {
  const actions = isObject(service['Actions']) ? service['Actions'] : {}
  const action = actions[`#UpdateService.${name}`]
  return isObject(action) ? action : undefined
}

function unsupported(detail: string): DeviceError {
  return new DeviceError({ kind: 'unsupported', detail })
}

const nothing: ClientAnswer = {
  status: 0,
  location: undefined,
  retryAfterS: undefined,
  token: undefined,
  body: {},
}
